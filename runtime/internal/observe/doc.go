// Package observe looks at what there is of a sandbox, and compares it with what there is
// to be and with what sbx has noted.
package observe
