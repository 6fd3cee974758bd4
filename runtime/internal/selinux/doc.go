// Package selinux has sandboxes run in contexts of their own where libvirt confines what
// it starts by SELinux. What the contexts' types may do is the host's policy, with sbx's
// module in it: packaging/selinux/sbx.cil.
package selinux
