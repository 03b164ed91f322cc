# SPDX-License-Identifier: MIT
#
# A private apt: its own sources, lists and cache, so that fetching packages of another suite or another
# machine leaves the system's apt alone. Sourced by fetch.sh and trixie.sh.
#
# The sources are those of this machine (or of the file DRUPE_APT_SOURCES), cut down to the Debian archive
# itself and turned to the wanted suite and type; so no mirror is named here, and keys, proxies and
# credentials are the machine's. Signature checking stays as apt has it.

DRUPE_CACHE=$(realpath -m "${DRUPE_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/drupe}")

# The apt source files to learn the archive's address from, one path a line.
apt_source_files() {
    if [ -n "${DRUPE_APT_SOURCES:-}" ]; then
        printf '%s\n' "$DRUPE_APT_SOURCES"
        return
    fi
    for apt_file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$apt_file" ] || printf '%s\n' "$apt_file"
    done
}

# apt_translate SUITE TYPE FILE: the stanzas of FILE that stand for Debian's own archive, rewritten, on
# stdout. Both formats are understood: one-line (*.list) and deb822. "Trusted" is dropped on purpose.
apt_translate() {
    awk -v suite="$1" -v type="$2" '
    function is_debian(suites, components,    n, i, word) {
        if ((" " components " ") !~ / main /)
            return 0
        n = split(suites, word, " ")
        for (i = 1; i <= n; i++)
            if (word[i] ~ /^(bullseye|bookworm|trixie|forky|duke|sid|oldstable|stable|testing|unstable)$/)
                return 1
        return 0
    }
    function emit(uris, suites, components, more) {
        if (uris != "" && uris !~ /^cdrom:/ && is_debian(suites, components))
            printf "Types: %s\nURIs: %s\nSuites: %s\nComponents: main\n%s\n", type, uris, suite, more
    }
    function end_stanza() {
        if (tolower(field["enabled"]) != "no")
            emit(field["uris"], field["suites"], field["components"], keep)
        split("", field)
        keep = name = ""
    }
    { sub(/\r$/, "") }
    /^[ \t]*#/ { next }
    /^deb(-src)?[ \t]/ {                                      # one-line format
        options = more = ""
        line = $0
        sub(/^deb(-src)?[ \t]+/, "", line)
        if (line ~ /^\[/) {
            options = substr(line, 2, index(line, "]") - 2)
            line = substr(line, index(line, "]") + 1)
        }
        n = split(options, option, " ")
        for (i = 1; i <= n; i++) {
            if (option[i] ~ /^signed-by=/)
                more = more "Signed-By: " substr(option[i], 11) "\n"
            if (option[i] ~ /^check-valid-until=/)
                more = more "Check-Valid-Until: " substr(option[i], 19) "\n"
        }
        n = split(line, word, " ")
        components = ""
        for (i = 3; i <= n; i++)
            components = components " " word[i]
        emit(word[1], word[2], components, more)
        next
    }
    /^[ \t]*$/ { end_stanza(); next }
    /^[ \t]/ {                                                # continues the field above
        if (name == "signed-by")
            keep = keep $0 "\n"
        else
            field[name] = field[name] $0
        next
    }
    /^[A-Za-z-]+:/ {                                          # deb822
        name = tolower(substr($0, 1, index($0, ":") - 1))
        value = substr($0, index($0, ":") + 1)
        sub(/^[ \t]+/, "", value)
        field[name] = value
        if (name == "signed-by" || name == "check-valid-until")
            keep = keep $0 "\n"
    }
    END { end_stanza() }' "$3" | awk -v RS= '!seen[$0]++ { print $0 "\n" }'
}

# apt_setup DIR SUITE TYPE [ARCH]: lays a private apt in DIR and points APT_CONFIG at it. TYPE is deb or
# deb-src. With ARCH it is an apt for that architecture on which nothing is installed. Fails, with a word, if
# this machine's apt knows no Debian archive.
apt_setup() {
    mkdir -p "$1/parts" "$1/lists/partial" "$1/cache/archives/partial" || return 1
    apt_source_files | while IFS= read -r apt_file; do
        apt_translate "$2" "$3" "$apt_file"
    done >"$1/apt.sources"
    if ! [ -s "$1/apt.sources" ]; then
        echo "deps: no Debian archive (a suite such as bookworm or trixie, with main) in:" \
            $(apt_source_files) >&2
        return 1
    fi
    rm -f "$1"/parts/*
    for apt_file in /etc/apt/apt.conf.d/*; do
        [ ! -r "$apt_file" ] || cp "$apt_file" "$1/parts/"
    done
    # Hooks of the system's apt (cleaning, desktop catalogues) are not for us, nor are translations.
    cat >"$1/parts/zz-drupe" <<-END
	#clear APT::Update::Pre-Invoke;
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	#clear Acquire::IndexTargets::deb::DEP-11;
	#clear Acquire::IndexTargets::deb::CNF;
	Acquire::Languages "none";
	Acquire::Retries "2";
	END
    cat >"$1/apt.conf" <<-END
	Dir::Etc::Parts "$1/parts";
	Dir::Etc::SourceList "$1/apt.sources";
	Dir::Etc::SourceParts "/dev/null";
	Dir::Etc::Preferences "/dev/null";
	Dir::Etc::PreferencesParts "/dev/null";
	Dir::State::Lists "$1/lists";
	Dir::Cache "$1/cache";
	APT::Sandbox::User "root";
	END
    if [ -n "${4:-}" ]; then
        : >"$1/status"
        cat >>"$1/apt.conf" <<-END
	Dir::State::Status "$1/status";
	APT::Architecture "$4";
	APT::Architectures { "$4"; };
	APT::Install-Recommends "false";
	END
    fi
    APT_CONFIG=$1/apt.conf
    export APT_CONFIG
}

# apt_advice: what to try when a download failed.
apt_advice() {
    cat >&2 <<-END
	deps: what to try:
	  - the network, and this machine's apt and its proxy settings: does "apt-get update" work?
	  - other apt sources:   DRUPE_APT_SOURCES=FILE make ...   (a .sources or .list file)
	  - a filled cache:      DRUPE_CACHE=DIR make ...          (copy $DRUPE_CACHE from another machine)
	END
}
