// Package latelibvirt has libvirt's library loaded when it is first called.
//
// libvirt's Go binding, built with libvirt_dlopen, sets libvirt's error handler
// when it is initialised, and opens the library for that: with the thirty that it
// needs, more than half of what a verb takes that only compiles. The linker
// passes the binding's dlopen and dlsym through this package. The library that
// the binding gets first is a promise; the handler is kept, and set when the
// first function is asked for. Where there is no library, that is when it is
// missed, in the words of the C library.
package latelibvirt
