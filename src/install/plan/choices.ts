// The values that options and the configuration of an installation may have.

export const FILESYSTEMS = ["xfs", "ext4", "btrfs"] as const;
export type FilesystemType = (typeof FILESYSTEMS)[number];

export const BLOCK_SETUPS = ["direct", "tpm2-luks"] as const;
export type BlockSetup = (typeof BLOCK_SETUPS)[number];

export const BOOTLOADERS = ["grub", "grub-cc", "systemd", "none"] as const;
export type Bootloader = (typeof BOOTLOADERS)[number];
