#!/bin/bash
# Makes the root file system of the guest from Debian packages: make-rootfs.sh DIR SUITE [PACKAGE...]. Needs
# root, a Debian mirror and two to five minutes. What it makes is cached by a hash of this file, the suite and
# the additional packages, so that any change here makes it anew.
set -euo pipefail
root=$1
suite=$2
shift 2
# The caller's folder for temporary files is not in the chroot.
unset TMPDIR
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 DEBCONF_NONINTERACTIVE_SEEN=true

debootstrap --variant=minbase \
  --include=systemd,systemd-sysv,udev,dbus,kmod,zstd,ca-certificates,iproute2,passwd \
  "$suite" "$root"
mount -t proc proc "$root/proc"
# Not the machine's own /dev: scripts of packages change the modes of devices.
mount -t tmpfs -o mode=755 none "$root/dev"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/pts" "$root/dev/shm"
trap 'umount -l "$root/proc" "$root/dev"' EXIT
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
install_packages() { chroot "$root" apt-get install -y --no-install-recommends "$@"; }
# It has the EFI driver with which systemd-boot reads ext4, and would install itself as a boot loader.
echo refind refind/install_to_esp boolean false | chroot "$root" debconf-set-selections
# dracut first: with the kernel alone apt picks initramfs-tools, which breaks the bootstrap.
install_packages dracut
install_packages linux-image-cloud-amd64 ostree ostree-boot skopeo containers-storage \
  golang-github-containers-common openssh-server jq e2fsprogs xfsprogs dosfstools fdisk \
  systemd-resolved rpm systemd-boot grub-pc-bin grub2-common util-linux-extra procps \
  policycoreutils selinux-utils bubblewrap "$@"

drivers='virtio_blk virtio_pci virtio_net ext4 xfs vfat nls_cp437 nls_ascii'
if [ "$suite" = sid ]; then
  # Only a system that runs from composefs has soft reboots. The initramfs gets a copy of the file.
  mkdir -p "$root/usr/lib/ostree"
  printf '[composefs]\nenabled=yes\n' > "$root/usr/lib/ostree/prepare-root.conf"
  drivers="$drivers erofs overlay loop"
else
  # The policy of sid cannot be installed: semodule fails on one of its modules.
  install_packages selinux-policy-default
  # The modules of the policy lie beside it, as in Fedora's images: /var is not the image's, and ostree has semodule
  # rebuild the policy, in bwrap, whenever it finalizes a deployment.
  sed -i -e 's/^SELINUX=.*/SELINUX=enforcing/' -e 's/^SELINUXTYPE=.*/SELINUXTYPE=default/' \
    "$root/etc/selinux/config"
  mv "$root"/var/lib/selinux/default/* "$root/etc/selinux/default/"
  echo 'store-root = /etc/selinux' >> "$root/etc/selinux/semanage.conf"
fi

kernel=$(ls "$root/usr/lib/modules")
# Only what a virtual machine with virtio needs: a small initramfs starts sooner under emulation.
omitted="plymouth lvm mdraid dmraid multipath iscsi nfs i18n network systemd-networkd"
case " $* " in
*" btrfs-progs "*) drivers+=" btrfs" ;;
*) omitted+=" btrfs" ;;
esac
case " $* " in
*" systemd-cryptsetup "*) drivers+=" dm_crypt tpm_crb tpm_tis" ;;
*) omitted+=" crypt" ;;
esac
chroot "$root" dracut --force --no-hostonly --no-hostonly-cmdline --zstd \
  --omit "$omitted" --add ostree --add-drivers "$drivers" \
  "/usr/lib/modules/$kernel/initramfs.img" "$kernel"
# In sid, it is there already.
[ -f "$root/usr/lib/modules/$kernel/vmlinuz" ] ||
  cp "$root/boot/vmlinuz-$kernel" "$root/usr/lib/modules/$kernel/vmlinuz"

cat > "$root/etc/systemd/network/80-dhcp.network" <<'END'
[Match]
Name=en* eth*
[Network]
DHCP=ipv4
END
mkdir -p "$root/etc/containers" "$root/usr/lib/systemd/system/ssh.service.d"
cat > "$root/etc/containers/policy.json" <<'END'
{"default": [{"type": "insecureAcceptAnything"}]}
END
# Host keys belong to the machine, not to the image.
rm -f "$root"/etc/ssh/ssh_host_*
cat > "$root/usr/lib/systemd/system/ssh.service.d/keys.conf" <<'END'
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
END
mkdir -p "$root/usr/lib/ostree"
printf '[sysroot]\nreadonly=true\n' >> "$root/usr/lib/ostree/prepare-root.conf"
cat > "$root/usr/lib/tmpfiles.d/image.conf" <<'END'
d /var/home 0755 root root -
d /var/roothome 0700 root root -
d /var/opt 0755 root root -
d /var/srv 0755 root root -
d /var/mnt 0755 root root -
d /var/usrlocal 0755 root root -
END
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer systemd-pcrphase.service remote-fs.target \
  systemd-networkd-wait-online.service; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
chroot "$root" systemctl enable systemd-networkd systemd-resolved ssh
rm -f "$root/etc/resolv.conf"
ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
: > "$root/etc/machine-id"
echo guest > "$root/etc/hostname"
printf '127.0.0.1 localhost guest\n' > "$root/etc/hosts"
rm -f "$root/etc/fstab" "$root"/vmlinuz* "$root"/initrd.img*
chroot "$root" systemctl set-default multi-user.target

chroot "$root" apt-get clean
umount -l "$root/proc" "$root/dev"
trap - EXIT
rm -rf "$root"/usr/sbin/policy-rc.d "$root"/usr/share/{doc,man,locale,info}/* "$root"/boot \
  "$root"/dev "$root"/run "$root"/var "$root"/tmp "$root"/usr/share/zoneinfo/right
# The layout of an image: what a machine keeps lives in /var, everything else comes with the image.
mkdir -m 755 "$root"/{boot,dev,run,var,sysroot}
mkdir -m 1777 "$root/tmp" "$root/var/tmp"
for name in home opt srv mnt; do rm -rf "${root:?}/$name" && ln -s "var/$name" "$root/$name"; done
rm -rf "${root:?}/root" "${root:?}/media" "$root/usr/local"
ln -s var/roothome "$root/root"
ln -s run/media "$root/media"
ln -s ../var/usrlocal "$root/usr/local"
ln -s sysroot/ostree "$root/ostree"
