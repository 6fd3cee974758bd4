# A host whose kernel was told to have no IPv6: what runs there, behind both walls.
# hosts: trixie-noipv6

#: install
apt-get install -y /lab/package/sbx_*_amd64.deb

#: doctor
sbx doctor --backend lxc | grep 'has no IPv6'

#: a container's command
sbx run -- id

#: a service with addresses of both kinds: sbx says what this host lacks
sbx up apache 2>&1 | tee said && exit 1
grep 'SBX0523.*ipv6.disable' said

#: the same with addresses of IPv4 alone
sed -e '/icmpv6/d; s/, "fd83::1\/64"//; s/, "fd83::80\/64"//; s/, "fd83::1"\]/]/; s/fd83::80 apache\\n//' /lab/profiles/apache.cue >apache.cue
grep fd83 apache.cue && exit 1
echo 'Listen 81' >>/etc/apache2/ports.conf
sbx up apache.cue
# walled: port 80 answers, and nothing comes of 81, where apache listens, too.
cat >/usr/local/bin/walled <<'END'
#!/bin/bash
set -eu
curl -fsS --max-time 60 -o /dev/null http://10.83.0.80/
sbx exec apache -- curl -fsS -o /dev/null http://127.0.0.1:81/
code=0
curl -sS --connect-timeout 10 -o /dev/null http://10.83.0.80:81/ || code=$?
test $code = 28 # it timed out: dropped, not refused
END
chmod 0755 /usr/local/bin/walled
walled
sbx drift

#: each of its walls holds without the other one
nft -s list table bridge sbx-apache >inner
systemctl stop sbx-guard.service # which would put it back
nft delete table bridge sbx-apache
walled
sbx drift && exit 1
sbx up apache.cue
nft -s list table bridge sbx-apache | diff inner -
# libvirt's filter hangs in chains of its own; iptables has some only where ebtables cannot say a rule.
iptables -S | sed -n 's/^-N \(libvirt-[a-z-]*\)$/\1/p' >chains
for chain in $(cat chains); do iptables -F "$chain"; done
ebtables -t nat -F PREROUTING
ebtables -t nat -F POSTROUTING
walled
systemctl stop sbx-guard.service # which would put it back
nft delete table bridge sbx-apache
curl -fsS --max-time 60 -o /dev/null http://10.83.0.80:81/ # it was the walls that closed it

#: up puts both right, and down leaves nothing of them
sbx drift && exit 1
sbx up apache.cue
walled
sbx drift
sbx down apache
nft list ruleset >rules
test -z "$(grep -e 10.83.0 -e sbx-apache rules)"
