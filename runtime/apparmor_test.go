package runtime

import (
	"errors"
	"strings"
	"testing"
)

func TestAppArmorsRefusalNamesCauseAndMend(t *testing.T) {
	libvirts := errors.New("internal error: cannot load AppArmor profile 'libvirt-0'")
	got := refusedByAppArmor(libvirts)
	if !errors.Is(got, libvirts) || !strings.Contains(got.Error(), "virt-aa-helper") || !strings.Contains(got.Error(), "security_driver") {
		t.Errorf("%v", got)
	}
	for _, other := range []error{nil, errors.New("Domain not found")} {
		if got := refusedByAppArmor(other); got != other {
			t.Errorf("%v became %v", other, got)
		}
	}
}
