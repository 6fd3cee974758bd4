// Package nic gives the interfaces of running containers their addresses, from outside.
package nic
