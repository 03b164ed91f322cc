# SPDX-License-Identifier: MIT
# Sourced by the checks that run a package's own tests: each test's outcome is a line "RESULT SUITE TEST OUTCOME" (passed, failed, skipped), and
# the last line is "COMPLETE". tests/programs/suites.py reads them.
declare -A seen

# result SUITE OUTCOME TEST: what a name has beside letters, digits and signs becomes _, and the second of a name is NAME#2.
result() {
    local name=${3//[^[:graph:]]/_} count
    count=$((${seen["$1 $name"]:-0} + 1))
    seen["$1 $name"]=$count
    [ $count = 1 ] || name+="#$count"
    echo "RESULT $1 $name $2"
}

# tell FILE: what a program said, for those who look at what failed.
tell() {
    sed 's/^/# /' "$1" | tr -d '\r' | head -c 65536
}
