package main

import (
	"fmt"
	"reflect"

	"github.com/alecthomas/kong"
)

// exactString has kong take an argument byte for byte: its own mappers carry it as
// JSON, which changes what is not UTF-8, so that another file would be meant.
func exactString(expand func(string) string) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		token, err := ctx.Scan.PopValue("string")
		if err != nil {
			return err
		}
		target.SetString(expand(fmt.Sprint(token.Value)))
		return nil
	}
}

func asIs(s string) string { return s }
