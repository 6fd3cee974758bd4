// Package locks keeps processes of sbx apart that work on the same sandbox, or on what
// sandboxes share.
package locks
