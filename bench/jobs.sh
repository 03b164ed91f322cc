#!/bin/bash
# Whole jobs, as /init of a root of Debian's packages (jobs.py): says "job NAME" before each and "status N" after it.
export PATH=/usr/bin:/bin:/sbin HOME=/tmp LC_ALL=C
python3 -S -c 'import ctypes
for kind, place in ((b"proc", b"/proc"), (b"devtmpfs", b"/dev"), (b"tmpfs", b"/tmp")):
    ctypes.CDLL(None).mount(kind, place, kind, 0, None)'
cd /tmp || exit

job() {
    echo "job $1"
    "${@:2}" >/tmp/output 2>&1 </dev/null
    echo "status $?"
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

git_session() {
    mkdir /tmp/git && cd /tmp/git && git init -q . && git config user.email a@b && git config user.name n || return
    for ((i = 1; i <= 5; i++)); do
        seq $((i * 200)) >file$i && git add . && git commit -qm $i || return
    done
    git gc -q
}

sqlite_rows() {
    sqlite3 /tmp/rows.db 'create table t(a integer primary key, b text);
        with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000) insert into t select x, hex(randomblob(30)) from c;
        create index i on t(b); select count(*) from t where b like "%A%";'
}

tar_out_and_in() {
    tar cf /tmp/lib.tar -C /usr/lib python3.13 && mkdir /tmp/lib && tar xf /tmp/lib.tar -C /tmp/lib
}

job "a shell's loop of 500 programs" shell_loop
job "python3 100 times" python_starts
job "configure of a small package" configure
job "make of 50 C files" make_fifty
job "git: 5 commits, gc" git_session
job "sqlite: 20,000 rows" sqlite_rows
job "tar out and in" tar_out_and_in
. /job/single.sh
echo end
read -r -t 600 # to be ended from outside
