package stage_test

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/eyes"
	"github.com/sbx-dev/sbx/internal/stage"
)

// owner is a user whose files the reader is to use as if they were its own.
const owner = 80_000

// ownersReader has the owner and the reader stand in each other's place.
func ownersReader(t *testing.T) *stage.IDMap {
	t.Helper()
	swap, err := stage.NewSwap([2]int{owner, reader}, [2]int{owner, reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(swap.Close)
	return swap
}

// A folder of one user is mounted as another one's, who reads and writes in it; what
// that one makes belongs to the first on the disk, and everybody else's files, and the
// host's own view of them, stay as they are.
func TestSwap(t *testing.T) {
	dir := host(t)
	err := errors.Join(os.Mkdir(dir+"/theirs", 0o700), os.WriteFile(dir+"/theirs/old", []byte("old"), 0o600), os.WriteFile(dir+"/theirs/roots", nil, 0o600),
		os.Chown(dir+"/theirs/old", owner, owner), os.Chown(dir+"/theirs", owner, owner))
	if err != nil {
		t.Fatal(err)
	}
	swap := ownersReader(t)
	source := open(t, dir+"/theirs")
	if err := source.Allows(reader, reader, true); !errors.Is(err, unix.EACCES) {
		t.Fatalf("before, the reader may write: %v", err)
	}
	if ok, err := source.MapIDs(swap); err != nil {
		t.Fatal(err)
	} else if !ok {
		t.Skip("tmpfs has no ID-mapped mounts in this kernel")
	}
	if err := source.Allows(reader, reader, true); err != nil {
		t.Errorf("the reader may not write: %v", err)
	}
	if err := source.Allows(owner, owner, false); !errors.Is(err, unix.EACCES) {
		t.Errorf("the owner, who is another one there, reads: %v", err)
	}
	export := onStage(t, dir, source)
	err = eyes.Of(reader, reader, func() error {
		return errors.Join(os.WriteFile(export+"/old", []byte("new"), 0o600), os.WriteFile(export+"/made", nil, 0o600), os.Mkdir(export+"/folder", 0o700))
	})
	if err != nil {
		t.Error(err)
	}
	for file, want := range map[string]uint32{"/old": owner, "/made": owner, "/folder": owner, "/roots": 0} {
		if uid, gid := owners(t, dir+"/theirs"+file); uid != want || gid != want {
			t.Errorf("%s belongs to %d:%d on the disk, want %d", file, uid, gid, want)
		}
	}
	if uid, _ := owners(t, export+"/roots"); uid != 0 {
		t.Errorf("root's file is shown as %d's", uid)
	}
	if err := eyes.Of(reader, reader, func() error { return os.WriteFile(export+"/roots", nil, 0o600) }); !errors.Is(err, unix.EACCES) {
		t.Errorf("the reader writes root's file: %v", err)
	}
}

// Two that are one, and neighbours, are pairs as well.
func TestSwapPairs(t *testing.T) {
	host(t)
	for _, pair := range [][2]int{{owner, owner}, {owner, owner + 1}, {owner + 1, owner}, {1, owner}} {
		swap, err := stage.NewSwap(pair, pair)
		if err != nil {
			t.Errorf("%v: %v", pair, err)
			continue
		}
		swap.Close()
	}
}

// What is not there yet is looked for where it would be made.
func TestSwapFits(t *testing.T) {
	dir := host(t)
	swap := ownersReader(t)
	there, err1 := swap.Fits(dir)
	missing, err2 := swap.Fits(dir + "/a/b")
	if there != missing || err1 != nil || err2 != nil {
		t.Errorf("%v and %v, %v, %v", there, missing, err1, err2)
	}
	if fits, err := swap.Fits("/dev/pts/new"); fits || err == nil {
		t.Errorf("the kernel's own: %v, %v", fits, err)
	}
}

func owners(t *testing.T, path string) (uid, gid uint32) {
	t.Helper()
	var info unix.Stat_t
	if err := unix.Lstat(path, &info); err != nil {
		t.Fatal(err)
	}
	return info.Uid, info.Gid
}
