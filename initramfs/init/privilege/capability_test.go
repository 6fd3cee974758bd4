package privilege

import (
	"fmt"
	"testing"
)

func TestCapabilitiesHaveTheirKernelNumbers(t *testing.T) {
	set, err := ParseSet([]string{"chown", "net_bind_service", "sys_admin", "checkpoint_restore"})
	if err != nil || fmt.Sprint(set) != "[0 10 21 40]" { // linux/capability.h
		t.Errorf("got %v, %v", set, err)
	}
	if _, err := ParseSet([]string{"cap_chown"}); err == nil {
		t.Error("an unknown name was taken")
	}
}
