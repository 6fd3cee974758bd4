# A host whose kernel was told to have no IPv6.
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
sbx up apache.cue
curl -fsS --max-time 60 -o /dev/null http://10.83.0.80/
curl -sS --connect-timeout 3 -o /dev/null http://10.83.0.80:81/ && exit 1
sbx drift
sbx down apache
