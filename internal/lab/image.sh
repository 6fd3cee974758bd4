#!/bin/sh
# image.sh: make the disk of a test host, from Debian's packages alone.
# usage: image.sh SUITE PACKAGE,PACKAGE… FOLDER, with the host's own setup on
# standard input. Leaves in FOLDER: disk.img, vmlinuz, initrd.img. The mirror is the
# one that this machine's apt uses. Needs root.
set -eu
suite=$1 packages=$2 folder=$3
here=$(dirname "$0")

# repository LABEL: where this machine's apt has Debian's packages from.
repository() {
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Label: $1" 'Component: main' | head -n 1
}

if [ -z "$(repository Debian)" ]; then
	apt-get update -q
fi
mirror=$(repository Debian)
if [ -z "$mirror" ]; then
	echo "image.sh: this machine's apt has no source of Debian's packages: test hosts are made from them" >&2
	exit 1
fi
security=$(repository Debian-Security)

cat >"$folder/setup"
cat >"$folder/initramfs" <<'END'
mkdir -p "$1/etc/initramfs-tools/conf.d"
printf 'MODULES=list\nCOMPRESS=zstd\n' >"$1/etc/initramfs-tools/conf.d/lab"
printf '%s\n' virtio_pci virtio_blk ext4 9p 9pnet_virtio virtio_rng >"$1/etc/initramfs-tools/modules"
END
# A fixed id: with none, systemd takes each boot for the first one. For the same
# reason the dates of .updated, which otherwise lets it rebuild its caches.
cat >"$folder/finish" <<'END'
set -eu
root=$1
echo '/dev/vda / ext4 rw,noatime 0 0' >"$root/etc/fstab"
echo labhost >"$root/etc/hostname"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
mkdir -p "$root/lab"
cp "$LAB_GUEST/agent" "$root/lab-agent"
cp "$LAB_GUEST/lab-agent.service" "$root/etc/systemd/system/"
chroot "$root" systemctl -q enable lab-agent.service
chroot "$root" systemctl -q disable apache2.service
chroot "$root" systemctl -q mask getty.target apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
	e2scrub_all.timer fstrim.timer man-db.timer systemd-networkd-wait-online.service
chroot "$root" sh -eu <"$LAB_SETUP"
touch -d +1day "$root/etc/.updated" "$root/var/.updated"
END

sources="deb $mirror $suite main"
[ -z "$security" ] || sources="$sources
deb $security $suite-security main"
# The drivers left out are of devices that such a machine never has: half of the tree.
drivers='/lib/modules/*/kernel'
LAB_GUEST=$here/guest LAB_SETUP=$folder/setup \
	mmdebstrap --mode=root --variant=minbase --include="$packages" \
	--aptopt='Apt::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt="path-exclude=$drivers/sound/*" --dpkgopt="path-exclude=$drivers/drivers/gpu/*" \
	--dpkgopt="path-exclude=$drivers/drivers/media/*" --dpkgopt="path-exclude=$drivers/drivers/net/wireless/*" \
	--dpkgopt="path-exclude=$drivers/drivers/net/ethernet/*" \
	--dpkgopt="path-exclude=/usr$drivers/sound/*" --dpkgopt="path-exclude=/usr$drivers/drivers/gpu/*" \
	--dpkgopt="path-exclude=/usr$drivers/drivers/media/*" --dpkgopt="path-exclude=/usr$drivers/drivers/net/wireless/*" \
	--dpkgopt="path-exclude=/usr$drivers/drivers/net/ethernet/*" \
	--essential-hook="sh $folder/initramfs \"\$1\"" --customize-hook="sh $folder/finish \"\$1\"" \
	"$suite" "$folder/tree" "$sources"

cp "$folder"/tree/boot/vmlinuz-* "$folder/vmlinuz"
cp "$folder"/tree/boot/initrd.img-* "$folder/initrd.img"
/sbin/mke2fs -q -t ext4 -O ^has_journal -m 0 -E lazy_itable_init=0 -L root -d "$folder/tree" "$folder/disk.img" 3G
rm -rf "$folder/tree" "$folder/setup" "$folder/initramfs" "$folder/finish"
