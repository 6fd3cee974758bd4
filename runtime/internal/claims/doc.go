// Package claims is the notes of what ephemeral sandboxes leave behind whose process is
// killed.
package claims
