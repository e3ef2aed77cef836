package fleet

import (
	"strings"
)

// script is what runs on another host, in /bin/sh whatever the login shell is. It
// is our own text with a hash, a file's name of ours or an agent's name in it, and
// never anything a user has typed.
type script string

// quoted is the command for the login shell: in single quotes, which no shell
// looks into but for the few characters that no script of ours has.
func (s script) quoted() string { return "/bin/sh -c '" + string(s) + "'" }

// unquotable are the characters that one shell or another sees in single quotes:
// the quote itself, the backslash (fish), the exclamation mark and the end of a
// line (csh).
const unquotable = "'\\!\n\r"

// scriptCache is the folder of what we have put on a host.
const scriptCache = `b="${XDG_CACHE_HOME:-$HOME/.cache}/hdbench/bin"; `

// fill makes a script of its parts.
func fill(text, hash, name string) script {
	return script(strings.NewReplacer("HASH", hash, "NAME", name, "SAY", "echo "+mark[:len(mark)-1]).Replace(scriptCache + text))
}

// scriptLook asks a host what it is, and whether it has a file.
func scriptLook() script {
	return fill(`SAY os "$(uname -s)"; SAY machine "$(uname -m)"; SAY cache "$b"; `+
		`command -v sha256sum >/dev/null && command -v find >/dev/null && SAY tools yes; true`, "", "")
}

// scriptHas asks for the hash of a file that may be there, and marks it as used.
func scriptHas(hash, name string) script {
	return fill(`f="$b/HASH/NAME"; if [ -e "$f" ]; then touch "$b/HASH"; SAY sum $(sha256sum <"$f"); fi`, hash, name)
}

// scriptStore puts its standard input where the file belongs, if it has the right
// hash, and nowhere else. What nobody has used for a month goes.
func scriptStore(hash, name string) script {
	return fill(`umask 077; d="$b/HASH"; mkdir -p "$d" && chmod 700 "$b" "$d" || exit 1; `+
		`find "$d" -name ".NAME.*" -mmin +60 -exec rm -f {} +; `+
		`t="$d/.NAME.$$"; cat >"$t"; `+
		`case "$(sha256sum <"$t")" in `+
		`HASH*) chmod 700 "$t" && mv -f "$t" "$d/NAME" && touch "$d" && SAY stored yes;; `+
		`*) SAY sum $(sha256sum <"$t"); rm -f "$t";; esac; `+
		`find "$b" -mindepth 1 -maxdepth 1 -type d -name "[0-9a-f]*" -mtime +30 -exec rm -rf {} +`, hash, name)
}

// scriptAgent becomes the agent.
func scriptAgent(hash, name, agent string) script {
	return fill(`exec "$b/HASH/NAME" agent --stdio --name `, hash, name) + script(agent)
}
