package qemu

// QbootROM is a firmware for x86_64 that does no more than start a kernel (package
// qemu-system-data); SeaBIOS takes a tenth of a second or more longer.
const QbootROM = "/usr/share/qemu/qboot.rom"
