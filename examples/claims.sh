# SPDX-License-Identifier: MIT
# Sourced by every example's check: claims, each a line "ok NAME" or "not ok NAME" with what went wrong as "# ..." below it.
# What a check writes goes to /srv, /tmp and /run, which are empty when it begins and are thrown away afterwards.
failed=0
trap '[ -n "$finished" ] || echo "not ok check_comes_to_its_end"' EXIT

# The last line of every check.
finish() {
    finished=1
    exit $failed
}

# claim NAME COMMAND...: the command succeeds.
claim() {
    local name=$1 status
    shift
    "$@" >/tmp/claim.out 2>&1
    status=$?
    if [ $status = 0 ]; then
        echo "ok $name"
    else
        echo "not ok $name"
        tail -n 25 /tmp/claim.out | sed 's/^/# /'
        echo "# $* ended with $status"
        failed=1
    fi
}

# says TEXT COMMAND...: the command succeeds and its output has TEXT in it.
says() {
    local text=$1 out
    shift
    out=$("$@" 2>&1) && [[ $out == *"$text"* ]] && return
    printf '%s\nwanted: %s\n' "$out" "$text"
    return 1
}

# soon COMMAND...: the command succeeds now, or when it is tried again within ten minutes: machines are shared, and this one is emulated.
soon() {
    local end=$((SECONDS + 600))
    until "$@" >/tmp/soon.out 2>&1; do
        [ $SECONDS -lt $end ] || { cat /tmp/soon.out; return 1; }
        sleep 0.1
    done
}

# gone PID...: none of them runs any more, soon.
gone() {
    local pid
    for pid; do
        soon eval "! kill -0 $pid" || return
    done
}

# as USER COMMAND...
as() {
    local user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --init-groups --reset-env -- env PATH="$PATH" LANG="$LANG" "$@"
}
