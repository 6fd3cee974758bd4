# The first commands of somebody who has just installed sbx.
# hosts: bookworm trixie

#: install
cp -a /lab/root/. /
systemctl daemon-reload
sbx version

#: doctor
sbx doctor

#: a container runs the first command ever
sbx run -- id

#: a machine runs a command
udevadm settle
sbx run -b kvm -- id
