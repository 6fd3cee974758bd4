#compdef sbx
# zsh completion for sbx
_sbx() {
	local -a found
	found=("${(@f)$(sbx __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ -n "${found[*]}" ]]; then
		compadd -a found
	else
		_files
	fi
}
if [[ "$funcstack[1]" = _sbx ]]; then
	_sbx "$@"
else
	compdef _sbx sbx
fi
