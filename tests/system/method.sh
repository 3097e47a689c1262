#!/bin/sh
# The address book: every section of the method that the code cites is in src/METHOD.md, and every file
# that it names is there. And the rooms: none includes one above it.
. "$(dirname "$0")/common.sh"
cd "$LAE_TEST_SOURCE" || exit 1

cited=$(grep -rhoE "METHOD sections? [0-9]+(-[0-9]+)?" src include tests launch data --include=*.[ch] --include=*.sh \
    --include=*.py | sed 's/.* //; s/-/ /' | while read -r first last; do seq "$first" "${last:-$first}"; done | sort -nu)
[ "$(echo "$cited" | wc -l)" -ge 8 ] || fail "only these sections are cited: $cited"
for section in $cited; do
    grep -q "^## $section\. " src/METHOD.md || fail "METHOD section $section is cited and is not there"
done

# The table's right column, in which names stand between backquotes.
named=$(grep -E '^\| \[[0-9]+\]' src/METHOD.md | sed 's/.*| \(`.*\) |$/\1/' | tr -d '`')
[ "$(echo "$named" | wc -w)" -ge 12 ] || fail "only these files are named: $named"
for file in $named; do
    # shellcheck disable=SC2086
    ls -d src/$file >/dev/null 2>&1 || fail "src/METHOD.md names src/$file, which is not there"
done

# Each row's own link, and the heading that it leads to.
grep -oE '^\| \[[0-9]+\]\(#[^)]*\)' src/METHOD.md | sed 's/.*(#\(.*\))/\1/' >"$work/links"
grep -E '^## ' src/METHOD.md | sed "s/^## //; s/[.,']//g" | tr 'A-Z ' 'a-z-' >"$work/headings"
[ -s "$work/links" ] || fail "the table of src/METHOD.md has no links"
diff "$work/links" "$work/headings" || fail "the links and the headings of src/METHOD.md differ"

# The tour names files, too.
toured=$(grep -oE '`([a-z_]+/)+([a-z_]+\.c)?`|`[a-z_]+\.c`' src/README.md | tr -d '`' | sort -u)
[ "$(echo "$toured" | wc -l)" -ge 30 ] || fail "the tour names only: $toured"
for file in $toured; do
    [ -e "src/$file" ] || fail "src/README.md names src/$file, which is not there"
done

# A room includes only those before it in README's table, which names all.
rooms=$(sed -n '/^| `base` /,/^$/p' README.md | cut -d'|' -f2 | tr -d '`')
[ "$(echo "$rooms" | wc -w)" -eq "$(find src -mindepth 1 -maxdepth 1 -type d | wc -l)" ] ||
    fail "README's table of rooms has not all of src: $rooms"
before=""
for room in $rooms; do
    before="$before $room"
    included=$(grep -rhoE '^#include "lae/[a-z]+/' "src/$room" "include/lae/$room" --include=*.[ch] | cut -d/ -f2 | sort -u)
    [ -n "$included" ] || fail "room $room includes nothing"
    for other in $included; do
        case " $before " in
        *" $other "*) ;;
        *) fail "room $room includes $other, which comes after it: $(grep -rl "lae/$other/" "src/$room" "include/lae/$room")" ;;
        esac
    done
done

# What a file offers to others bears the project's name, in private rooms too.
library="$(dirname "$LAE_MPI")/liblae.a"
[ "$(nm -g --defined-only "$library" | grep -c ' lae_')" -gt 300 ] || fail "$library has no functions"
other=$(nm -g --defined-only "$library" | awk '$2 ~ /^[A-Z]$/ && $3 !~ /^(lae)?_/ {print $3}' | sort -u)
[ -z "$other" ] || fail "names without lae_: $other"
