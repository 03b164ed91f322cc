#!/bin/bash
# Whole jobs, as /init of a root of Debian's packages (jobs.py): says "job NAME" before each, "status N" after it, and then what it has made:
# "made SUM", the sum of what NAME's second function writes, which has to be the same on every kernel.
export PATH=/usr/bin:/bin:/sbin HOME=/tmp LC_ALL=C
python3 -S -c 'import ctypes
for kind, place in ((b"proc", b"/proc"), (b"devtmpfs", b"/dev"), (b"tmpfs", b"/tmp")):
    ctypes.CDLL(None).mount(kind, place, kind, 0, None)'
cd /tmp || exit

job() {
    echo "job $1"
    "${@:3}" >/tmp/output 2>&1 </dev/null
    echo "status $?"
    echo "made $("$2" 2>&1 | cksum)"
}

# What a job has written, if that is all.
output() {
    cat /tmp/output
}

# Where it has something random in it.
lines_of_output() {
    wc -l </tmp/output
}

# The same program several times: single.sh, which jobs.py makes, has some.
repeat() {
    for ((i = 0; i < $1; i++)); do "${@:2}" || return; done
}

shell_loop() {
    for ((i = 0; i < 500; i++)); do /bin/true; done
}

python_starts() {
    for ((i = 0; i < 100; i++)); do python3 -S -c pass || return; done
}

made_by_configure() {
    cat /tmp/musl/config.mak
}

configure() {
    cp -r /job/musl /tmp/musl && cd /tmp/musl && ./configure --prefix=/tmp/installed
}

make_fifty() {
    mkdir /tmp/fifty && cd /tmp/fifty || return
    for ((i = 0; i < 50; i++)); do
        printf '#include <stdio.h>\nint f%d(int n) { printf("%%d\\n", n); return n * %d; }\n' $i $i >f$i.c
    done
    printf 'objects := $(patsubst %%.c,%%.o,$(wildcard *.c))\nall: $(objects)\n' >Makefile
    make -s CC=gcc CFLAGS=-O1
}

made_by_make() {
    cd /tmp/fifty && cat ./*.o
}

# All the content; the hashes of commits have times in them.
made_by_git() {
    cd /tmp/git && git fsck --strict && git count-objects -v | grep -E '^(in-pack|packs|prune)' && for n in 4 3 2 1 0; do git ls-tree -r HEAD~$n; done
}

git_session() {
    mkdir /tmp/git && cd /tmp/git && git init -q . && git config user.email a@b && git config user.name n || return
    for ((i = 1; i <= 5; i++)); do
        seq $((i * 200)) >file$i && git add . && git commit -qm $i || return
    done
    git gc -q
}

made_by_sqlite() {
    sqlite3 /tmp/rows.db 'pragma integrity_check; select count(*), sum(a), sum(length(b)) from t;'
}

sqlite_rows() {
    sqlite3 /tmp/rows.db 'create table t(a integer primary key, b text);
        with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000) insert into t select x, hex(randomblob(30)) from c;
        create index i on t(b); select count(*) from t where b like "%A%";'
}

# Names, kinds, modes, sizes and content, on the way out and in. (Sizes of directories, and the order of names in them, are each file system's own.)
made_by_tar() {
    tar tf /tmp/lib.tar | LC_ALL=C sort | cksum
    cd /tmp/lib && find . -type d -printf '%p %m\n' -o -printf '%p %y %m %s %l\n' | LC_ALL=C sort && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cat | cksum
}

tar_out_and_in() {
    tar cf /tmp/lib.tar -C /usr/lib python3.13 && mkdir /tmp/lib && tar xf /tmp/lib.tar -C /tmp/lib
}

job "a shell's loop of 500 programs" output shell_loop
job "python3 100 times" output python_starts
job "configure of a small package" made_by_configure configure
job "make of 50 C files" made_by_make make_fifty
job "git: 5 commits, gc" made_by_git git_session
job "sqlite: 20,000 rows" made_by_sqlite sqlite_rows
job "tar out and in" made_by_tar tar_out_and_in
. /job/single.sh
echo end
read -r -t 600 # to be ended from outside
