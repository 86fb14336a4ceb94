#!/bin/bash
# Makes a system for user-mode Linux from the root file system of the virtual machines: make-system.sh DIR ROOTFS.
# Leaves DIR/system.tar, a layer without kernel and initramfs, and DIR/initramfs.img. Needs root and ten seconds.
set -euo pipefail
dir=$1
rootfs=$2
root=$dir/root
export LC_ALL=C.UTF-8

# The smaller the system, the sooner it is recorded, read and compared. Whatever boots or updates it stays.
set -f
unused=(
  etc/selinux
  usr/bin/{containers-storage,python3.13}
  usr/lib/{apt,cni,file,grub,modules,python3,python3.13}
  usr/lib/udev/hwdb.{d,bin}
  usr/lib/x86_64-linux-gnu/lib{apt,icu,rpm_sequoia}*
  usr/share/{grub,refind,selinux,zoneinfo}
)
set +f
mkdir "$root"
tar --directory "$root" "${unused[@]/#/--exclude=./}" --extract --file "$rootfs"

# This initramfs mounts the root and hands it to ostree; the file systems are built into the kernel. dracut's does
# the same, but takes more than ten times as long.
tree=$root/initramfs
mkdir -p "$tree"/{proc,sys,dev,run,sysroot} "$tree"/usr/{bin,sbin,lib,lib64}
for it in bin sbin lib lib64; do ln -s "usr/$it" "$tree/$it"; done
for program in /bin/sh /bin/cat /bin/mount /sbin/switch_root /usr/lib/ostree/ostree-prepare-root; do
  for file in "$program" $(chroot "$root" ldd "$program" | grep --only-matching '/[^ ]*'); do
    install -D "$root$file" "$tree$file"
  done
done
install -D "$root/usr/lib/ostree/prepare-root.conf" "$tree/usr/lib/ostree/prepare-root.conf"
cat > "$tree/init" <<'END'
#!/bin/sh
set -e
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs -o mode=755 tmpfs /run
for word in $(cat /proc/cmdline); do
  case $word in root=*) root=${word#root=} ;; esac
done
mount -o rw "$root" /sysroot
/usr/lib/ostree/ostree-prepare-root /sysroot
exec switch_root /sysroot /sbin/init
END
chmod 755 "$tree/init"
archive='cpio --quiet --create --format=newc --owner=0:0 | zstd --quiet'
chroot "$root" bash -c "set -o pipefail; cd /initramfs && find . | $archive > /boot/initramfs.img"
mv "$root/boot/initramfs.img" "$dir/initramfs.img"
rm -rf "$tree" "$root"/usr/lib/systemd/system/{,*/}dracut-* "$root"/usr/lib/{dracut,x86_64-linux-gnu/perl*}
rm -rf "$root"/usr/bin/{dracut,perl*}

# Of the devices, only the disks matter: this kernel has two hundred terminals.
sed -i 's/^\(ExecStart=.*udevadm trigger\) .*/\1 --action=add --subsystem-match=block/' \
  "$root/usr/lib/systemd/system/systemd-udev-trigger.service"
grep --quiet subsystem-match=block "$root/usr/lib/systemd/system/systemd-udev-trigger.service"

# There is no network, nobody logs in, and each process costs more than elsewhere. What mounts, what makes users
# and files, and everything of ostree and bootc stays.
masked=(
  dbus.{service,socket} getty@tty1.service ssh.{service,socket}
  systemd-{hostnamed.socket,logind.service,network-generator.service,resolved.service,user-sessions.service}
  systemd-networkd.{service,socket} systemd-networkd-persistent-storage.service
  systemd-{hwdb-update,journal-catalog-update,journal-flush,update-done}.service ldconfig.service
  systemd-{modules-load,random-seed,sysctl,udev-load-credentials}.service
  systemd-tmpfiles-setup-dev{,-early}.service systemd-tmpfiles-clean.timer
  modprobe@{configfs,dm_mod,drm,efi_pstore,fuse,loop}.service
  dev-{hugepages,mqueue}.mount run-lock.mount tmp.mount
)
for unit in "${masked[@]}"; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# So do the two generators that those need.
mkdir -p "$root/etc/systemd/system-generators"
for generator in "$root"/usr/lib/systemd/system-generators/*; do
  case $generator in
  */ostree-* | */systemd-fstab-*) ;;
  *) ln -sf /dev/null "$root/etc/systemd/system-generators/${generator##*/}" ;;
  esac
done

mkdir -p "$root/usr/lib/systemd/system/multi-user.target.wants"
cat > "$root/usr/lib/systemd/system/crash-boot.service" <<'END'
[Unit]
Description=What the test does in this boot
ConditionKernelCommandLine=crash-boot
[Service]
Type=exec
ExecStart=/usr/lib/crash-boot
END
ln -s ../crash-boot.service "$root/usr/lib/systemd/system/multi-user.target.wants/"
# `crash-boot=` names a folder of the machine that runs the test.
cat > "$root/usr/lib/crash-boot" <<'END'
#!/bin/sh
mkdir -p /run/crash-boot
folder=$(sed -n 's/.*crash-boot=\([^ ]*\).*/\1/p' /proc/cmdline)
mount -r -t hostfs -o "$folder" none /run/crash-boot && sh /run/crash-boot/script > /dev/ttyS0 2>&1
systemctl poweroff --no-block
END
chmod 755 "$root/usr/lib/crash-boot"
echo 'from the image' > "$root/etc/changed-here"

tar --directory "$root" --sort=name --mtime=@0 --numeric-owner --create --file "$dir/system.tar" .
rm -rf "$root"
