# SPDX-License-Identifier: MIT
# Completion of `drupe` in fish. Commands and options are what the program itself says with --help; all other
# words are files.
function __drupe_commands
    set -l words (commandline -opc)
    $words[1] --help 2>/dev/null | string replace -rf '^  ([a-z][a-z-]*)  *(.*)' '$1\t$2'
end

function __drupe_options
    set -l words (commandline -opc)
    $words[1] $words[2] --help 2>/dev/null |
        string replace -rf '^ +(?:-[a-zA-Z], )?(--[a-z-]+)(?: [^ ]+)?  *(.*)' '$1\t$2'
end

complete -c drupe -n 'test (count (commandline -opc)) -eq 1' -f -a '(__drupe_commands)'
complete -c drupe -n 'test (count (commandline -opc)) -gt 1; and string match -q -- "-*" (commandline -ct)' \
    -f -a '(__drupe_options)'
