# Machines of a user who is not root: the third of a kind starts from a saved one.
# hosts: bookworm trixie

#: install, and two users, of whom one may open /dev/kvm when sbx has said how
apt-get install -y /lab/package/sbx_*_amd64.deb
udevadm settle
useradd -m -s /bin/bash anna
useradd -m -s /bin/bash bob
su - anna -c 'sbx run -b kvm -- true' 2>said && exit 1
grep 'usermod -aG kvm' said
usermod -aG kvm anna
# machine FILE FLAG-OR-COMMAND…: a machine of anna's, with the milliseconds of its parts in FILE.
cat >/usr/local/bin/machine <<'END'
#!/bin/bash
code=0
su - anna -c "sbx run -b kvm --timings ${*:2}" 2>"$1" || code=$?
cat "$1" >&2
exit $code
END
# as one that was restored, and one that has booted
cat >/usr/local/bin/restored <<'END'
#!/bin/bash
grep ' restore$' "$1" && ! grep 'starts from nothing' "$1"
END
cat >/usr/local/bin/booted <<'END'
#!/bin/bash
grep ' boot$' "$1" && ! grep -e ' restore$' -e 'starts from nothing' "$1"
END
chmod 0755 /usr/local/bin/{machine,restored,booted}

#: the first machine boots
machine first -- true
booted first

#: the second one is saved on its way
machine second -- true
restored second

#: the third one is restored
machine third -- true
restored third
grep 'in all' first second third

#: sbx cache shows what is saved, and nobody else has it
su - anna -c 'sbx cache' | tee said
test "$(grep -c '^machine ' said)" = 1
su - bob -c 'sbx cache' >said
test -z "$(grep '^machine ' said)"
su - bob -c 'ls /home/anna/.local/state/sbx/.cache/machine' && exit 1
ls -l /home/anna/.local/state/sbx/.cache/machine

#: two that are restored have nothing in common that must differ
for n in 1 2; do
	machine times -- sh -c "'hostname; cat /proc/sys/kernel/random/boot_id; od -An -tx1 -N32 /dev/urandom; grep -e stack -e vdso /proc/self/maps'" >of$n
	restored times
	cat of$n
done
test "$(cat of1 of2 | wc -l)" = 12
test "$(sort -u of1 of2 | wc -l)" = 12

#: --cold boots, and so does a machine of other walls
machine times --cold -- true
booted times
machine times --memory 300MiB -- true
booted times
machine times -- true
restored times

#: what is saved and broken is dropped, with a line, and the machine boots
truncate -s 20M /home/anna/.local/state/sbx/.cache/machine/*
machine times -- echo it runs >out
grep 'it runs' out
grep 'starts from nothing' times
machine times -- true
restored times # it was saved anew

#: a restored machine ends with its sbx, however that ends
(machine times -- sh -c "'echo there; sleep 10000'" >out || true) &
for n in {1..3000}; do grep -q there out && break || sleep 0.1; done
grep there out
pgrep -l -u anna qemu
kill -KILL "$(pgrep -o -x -u anna sbx)"
wait
for n in {1..300}; do pgrep -u anna qemu >/dev/null || break; sleep 0.1; done
test -z "$(pgrep -u anna qemu)"
machine times -- true
restored times

#! reboot

#: one that was saved before the host's boot has the host's time
udevadm settle
from=$(date +%s)
machine times -- date +%s >now
restored times
test "$from" -le "$(cat now)"
test "$(cat now)" -le "$(date +%s)"
grep 'in all' times
