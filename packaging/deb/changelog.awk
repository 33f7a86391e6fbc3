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
    if (signed != "") printf "\n -- %s  %s\n\n", maintainer, signed
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
    printf "blue-elephant (%s) unstable; urgency=medium\n", number
    next
}

/^### / {
    flush()
    printf "\n  [ %s ]\n", substr($0, 5)
    next
}

/^- / {
    flush()
    item = substr($0, 3)
    next
}

/^  / { item = item " " $0 }

END { sign() }
