// Command toys uses the toys: it prints what becomes of a profile with them.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/review"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

const profile = `package p
import "github.com/sbx-dev/sbx/schema"
schema.#Profile & {
	name: "p"
	run: argv: ["/bin/true"]
	backend: "BACKEND"
	mounts: "/srv": FIELD
}`

func main() {
	for _, backend := range []string{"lxc", "kvm", "toy"} {
		b := must(compiler.Compile(parse(backend, "{empty: true}"), compiler.Options{}))
		domain, orders := string(b.File("domain.xml")), string(b.File("initrd.json"))
		fmt.Println(backend, strings.Contains(domain, `type="`+backend+`"`), strings.Contains(domain, `dir="/srv"`), strings.Contains(orders, `"kind": "empty"`))
	}
	b := must(compiler.Compile(parse("toy", "{empty: true}"), compiler.Options{Target: "paper"}))
	fmt.Print(string(b.File("note.txt")))
	report := must(review.Compare(review.Version{Profile: parse("lxc", `{tmpfs: "1MiB"}`)}, review.Version{Profile: parse("lxc", "{empty: true}")}))
	for _, c := range report.Changes {
		fmt.Println(c.Dimension, c.Added, c.What)
	}
}

func parse(backend, field string) *schema.Profile {
	text := strings.NewReplacer("BACKEND", backend, "FIELD", field).Replace(profile)
	return must((&load.Config{Stdin: strings.NewReader(text)}).Load("-"))[0]
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return v
}
