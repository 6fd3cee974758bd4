// Package inits finds sbx-init, and keeps the versions of it that sandboxes run.
package inits
