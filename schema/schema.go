// Package schema is the language of sbx: the CUE definition that every profile
// is checked against, and the Go structs that a profile decodes into.
package schema
