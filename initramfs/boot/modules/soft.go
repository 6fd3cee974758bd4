package modules

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/hostpath"
)

// readLines calls see with the words of each line of one of the tree's text
// files. Missing, it has none.
func (t *Tree) readLines(name string, see func(words []string)) error {
	list, err := hostpath.ReadAll(filepath.Join(t.dir, name), maxList)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("module tree: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(list))
	for lines.Scan() {
		see(strings.Fields(lines.Text()))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(t.dir, name), err)
	}
	return nil
}

// readSoft reads modules.softdep, in whose lines "softdep ext4 pre: crypto-crc32c
// post: other" the names behind "pre:" are what ext4 asks the kernel for by name
// when it is used (modprobe.d(5)). In a machine nobody would answer that, so they
// are loaded before.
func (t *Tree) readSoft() error {
	t.soft = map[string][]string{}
	return t.readLines("modules.softdep", func(words []string) {
		if len(words) < 3 || words[0] != "softdep" {
			return
		}
		module := Name(words[1])
		for _, word := range words[2:] {
			if word == "post:" {
				return
			}
			if word != "pre:" {
				t.soft[module] = append(t.soft[module], word)
			}
		}
	})
}

// softModules gives the modules that go before the named one, so far as the tree
// has them. A soft dependency may be the alias of several, of which not each fits
// every machine.
func (t *Tree) softModules(module string) (names []string, err error) {
	for _, wanted := range t.soft[module] {
		name := Name(wanted)
		switch {
		case t.builtin[name]:
		case t.deps[name] != nil:
			names = append(names, name)
		default:
			aliased, err := t.aliased(name)
			if err != nil {
				return nil, err
			}
			names = append(names, aliased...)
		}
	}
	return names, nil
}

// aliased gives the modules that modules.alias has for a name. Its patterns are
// for devices, not for this.
func (t *Tree) aliased(name string) ([]string, error) {
	if t.aliases == nil {
		t.aliases = map[string][]string{}
		err := t.readLines("modules.alias", func(words []string) {
			if len(words) == 3 && words[0] == "alias" && !strings.ContainsAny(words[1], "*?[") {
				t.aliases[Name(words[1])] = append(t.aliases[Name(words[1])], Name(words[2]))
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(t.aliases[name]), func(module string) bool { return t.deps[module] == nil }), nil
}
