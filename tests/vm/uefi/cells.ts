// The machines with EFI that are installed: how each disk is made, and what its system must then say.

export interface Cell {
  readonly name: string;
  /** The script that replaces the system of the disk from inside; `script` then only makes the old system. */
  readonly takeover?: string;
  /** The script that installs to `$disk` with the arguments `$common`, run in the installer's guest. */
  readonly script: string;
  readonly loader: "grub" | "systemd";
  readonly filesystem: "ext4" | "xfs" | "btrfs";
  readonly hasBoot: boolean;
  readonly isEncrypted: boolean;
  /** Whether the system is reset to its image at last. */
  readonly isReset?: boolean;
  /** Whether the firmware is in setup mode and the image has signatures, and the keys to enrol. */
  readonly isSigned?: boolean;
}

/** An administrator's own partitions: `/boot` apart from the root, and the ESP in it. */
const XFS_APART = `
sfdisk --quiet $disk <<END
label: gpt
size=512MiB, type=U
size=700MiB, type=L
type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709
END
udevadm settle
mkfs.fat -n ESP \${disk}1 && mkfs.xfs -q \${disk}2 && mkfs.xfs -q \${disk}3
mkdir -p /run/target && mount \${disk}3 /run/target
mkdir /run/target/boot && mount \${disk}2 /run/target/boot
mkdir /run/target/boot/efi && mount \${disk}1 /run/target/boot/efi
bootc install to-filesystem $common /run/target
umount -R /run/target
`;

/** A Debian without ostree, made of the running one: its own root, GRUB, and the ESP at /boot/efi. */
const OLD_DEBIAN = `
sfdisk --quiet $disk <<END
label: gpt
size=512MiB, type=U
type=L
END
udevadm settle
mkfs.fat -n OLD-ESP \${disk}1 && mkfs.ext4 -q -L old \${disk}2
old=/run/old
mkdir $old && mount \${disk}2 $old
cd $old
mkdir -p boot/efi dev proc run sys tmp var
chmod 1777 tmp
for it in bin sbin lib lib64 home root opt srv mnt media usr etc var/roothome; do
  cp --archive --parents --one-file-system /$it $old
done
rm -r usr/etc
printf 'LABEL=old / ext4 rw 0 1\\nLABEL=OLD-ESP /boot/efi vfat umask=077 0 2\\n' > etc/fstab
echo old > etc/old-system
cp usr/lib/modules/*/vmlinuz usr/lib/modules/*/initramfs.img boot
mount \${disk}1 boot/efi
# The running system's policy keeps a boot loader from a file system with labels like these.
enforce=/sys/fs/selinux/enforce
if [ -e $enforce ]; then echo 0 > $enforce; fi
grub-install --target=x86_64-efi --efi-directory=boot/efi --boot-directory=boot --removable
if [ -e $enforce ]; then echo 1 > $enforce; fi
cat > boot/grub/grub.cfg <<END
search --no-floppy --label old --set=root
linux /boot/vmlinuz root=LABEL=old ro console=ttyS0
initrd /boot/initramfs.img
boot
END
cd / && umount -R $old
`;

const TAKEOVER = `
test -e /etc/old-system && test ! -e /ostree
bootc install to-existing-root --acknowledge-destructive $common
`;

const toDisk = (filesystem: Cell["filesystem"], more = "") =>
  `bootc install to-disk --filesystem ${filesystem} ${more} $common $disk\n`;

const GRUB = { loader: "grub", hasBoot: false, isEncrypted: false } as const;
const SYSTEMD = { loader: "systemd", hasBoot: true, isEncrypted: false } as const;
const TPM = { hasBoot: true, isEncrypted: true };
const WITH_SYSTEMD = "--bootloader systemd";
const WITH_TPM = "--block-setup tpm2-luks";

export const CELLS: readonly Cell[] = [
  { ...GRUB, name: "grub-ext4", filesystem: "ext4", script: toDisk("ext4") },
  {
    ...GRUB,
    name: "grub-xfs-boot",
    filesystem: "xfs",
    script: XFS_APART,
    ...{ hasBoot: true, isReset: true },
  },
  {
    ...SYSTEMD,
    name: "systemd-btrfs",
    filesystem: "btrfs",
    script: toDisk("btrfs", WITH_SYSTEMD),
  },
  { ...GRUB, ...TPM, name: "grub-ext4-tpm", filesystem: "ext4", script: toDisk("ext4", WITH_TPM) },
  {
    ...SYSTEMD,
    name: "systemd-ext4-signed",
    filesystem: "ext4",
    script: toDisk("ext4", WITH_SYSTEMD),
    isSigned: true,
  },
  { ...GRUB, name: "over-debian", filesystem: "ext4", script: OLD_DEBIAN, takeover: TAKEOVER },
  { ...GRUB, name: "grub-btrfs", filesystem: "btrfs", script: toDisk("btrfs") },
  { ...GRUB, name: "grub-xfs", filesystem: "xfs", script: toDisk("xfs") },
  { ...SYSTEMD, name: "systemd-ext4", filesystem: "ext4", script: toDisk("ext4", WITH_SYSTEMD) },
  {
    ...SYSTEMD,
    ...TPM,
    name: "systemd-xfs-tpm",
    filesystem: "xfs",
    script: toDisk("xfs", `${WITH_SYSTEMD} ${WITH_TPM}`),
  },
];

/** The cells that `BOOTC_VM_UEFI` names, separated by commas; by default all. */
export function chosenCells(names: string | undefined): readonly Cell[] {
  if (names === undefined) return CELLS;
  return names.split(",").map((name) => {
    const cell = CELLS.find((it) => it.name === name);
    if (cell !== undefined) return cell;
    throw new Error(`there is no cell ${name}; there are ${CELLS.map((it) => it.name).join(", ")}`);
  });
}
