# CHANGELOG.md -> the changelog of Debian packages. What is not released yet is `version` of `date`.

function flush(    count, words, i, line) {
    if (item == "") return
    count = split(item, words, " ")
    line = "  *"
    for (i = 1; i <= count; i++) {
        if (length(line) + length(words[i]) > 76) {
            print line
            line = "   "
        }
        line = line " " words[i]
    }
    print line
    item = ""
}

function sign() {
    flush()
    if (begun) printf "\n -- %s  %s\n\n", maintainer, signed
    begun = 0
}

# Behind a release nothing is unreleased, and a version without anything new is none.
function begin() {
    if (begun) return 0
    printf "blue-elephant (%s) unstable; urgency=medium\n", number
    return begun = 1
}

/^## / {
    sign()
    number = $2
    gsub(/[][]/, "", number)
    if (number == "Unreleased") {
        number = version
        signed = date
    } else {
        command = "date -R -d " $4
        command | getline signed
        close(command)
    }
    next
}

/^### / {
    begin()
    flush()
    printf "\n  [ %s ]\n", substr($0, 5)
    next
}

/^- / {
    if (begin()) print ""
    flush()
    item = substr($0, 3)
    next
}

/^  / { item = item " " $0 }

END { sign() }
