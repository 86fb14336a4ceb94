// The files that people write for bootc, one page of section 5 each. Tests give each example to the parser.

export interface FormatKey {
  readonly term: string;
  readonly text: string;
}

export interface FormatPage {
  /** The page's name without its section. */
  readonly name: string;
  readonly title: string;
  /** Where the files are. */
  readonly synopsis: readonly string[];
  /** Paragraphs. */
  readonly description: readonly string[];
  readonly keys: readonly FormatKey[];
  readonly example: { readonly file: string; readonly text: string };
  /** Pages of section 8. */
  readonly seeAlso: readonly string[];
}

const INSTALL_CONFIG: FormatPage = {
  name: "bootc-install-config",
  title: "how an image wants to be installed",
  synopsis: ["/usr/lib", "/usr/local/lib", "/etc", "/run"].map(
    (it) => `${it}/bootc/install/*.toml`,
  ),
  description: [
    "TOML files that are merged in the order of their names. A file in a later directory masks the " +
      "file of the " +
      "same name in an earlier one, and an empty file disables it. `bootc install " +
      "print-configuration --all` " +
      "shows the result.",
    "All keys are in the table [install]. An unknown key is an error, except below [install.ostree], " +
      "where it warns.",
  ],
  keys: [
    { term: "root-fs-type", text: "the file system of the root: xfs, ext4 or btrfs" },
    { term: "filesystem.root.type", text: "the same, and wins over root-fs-type" },
    {
      term: "block",
      text: "a list of direct and tpm2-luks that are allowed; the first is the default",
    },
    { term: "kargs", text: "a list of kernel arguments; those of all files are added up" },
    {
      term: "karg-deletes",
      text: "kernel arguments to leave out; those of all files are added up",
    },
    {
      term: "match-architectures",
      text: "a list of architectures, such as x86_64 and aarch64; the file counts only for these",
    },
    { term: "stateroot", text: "the name of the stateroot" },
    {
      term: "root-mount-spec",
      text: "how to find the root; an empty text means no root= argument",
    },
    {
      term: "boot-mount-spec",
      text: "how to find /boot; an empty text means that it is not separate",
    },
    { term: "bootloader", text: "grub, systemd or none; grub-cc is refused" },
    {
      term: "bootupd.skip-boot-uuid",
      text: "whether the boot loader finds /boot without its UUID",
    },
    {
      term: "discoverable-partitions",
      text: "whether the initramfs finds the root by the type of its partition, without root=",
    },
    {
      term: "enforce-container-sigpolicy",
      text: "whether updates must be signed as policy.json requires",
    },
    {
      term: "ostree.bls-append-except-default",
      text: "goes to the configuration of the repository",
    },
  ],
  example: {
    file: "/usr/lib/bootc/install/50-example.toml",
    text: `[install]
root-fs-type = "xfs"
kargs = ["console=ttyS0"]
match-architectures = ["x86_64"]

[install.bootupd]
skip-boot-uuid = true`,
  },
  seeAlso: ["bootc-install-to-disk", "bootc-install-print-configuration"],
};

const KARGS: FormatPage = {
  name: "bootc-kargs",
  title: "kernel arguments that an image brings",
  synopsis: ["/usr/lib/bootc/kargs.d/*.toml"],
  description: [
    "TOML files that are read in the order of their names. An installation adds the arguments of all " +
      "files. An " +
      "update adds those that only the new image has and removes those that only the old image had; " +
      "changes " +
      "that were made on the machine stay.",
    "An unknown key is an error. Files in other directories, such as /etc, are not read.",
  ],
  keys: [
    { term: "kargs", text: "a list of texts with one or more arguments each; required" },
    {
      term: "match-architectures",
      text: "a list of architectures, such as x86_64 and aarch64; the file counts only for these",
    },
  ],
  example: {
    file: "/usr/lib/bootc/kargs.d/10-console.toml",
    text: `kargs = ["console=tty0", "console=ttyS0,115200n8"]
match-architectures = ["x86_64", "aarch64"]`,
  },
  seeAlso: ["bootc-upgrade", "bootc-loader-entries-set-options-for-source"],
};

const BOUND_IMAGES: FormatPage = {
  name: "bootc-bound-images",
  title: "images that come and go with a system",
  synopsis: ["/usr/lib/bootc/bound-images.d/"],
  description: [
    "Symbolic links to Quadlet files (podman-systemd.unit(5)) of the image. The images that these " +
      "files name are " +
      "fetched before the system that needs them can boot, and removed when no deployment binds them " +
      "any more.",
    "They are in /usr/lib/bootc/storage, which podman searches with " +
      "GlobalArgs=--storage-opt=additionalimagestore=/usr/lib/bootc/storage in the Quadlet file.",
  ],
  keys: [
    { term: "NAME.container", text: "binds the Image= of its section [Container]" },
    { term: "NAME.image", text: "binds the Image= of its section [Image]; AuthFile= is an error" },
  ],
  example: {
    file: "/usr/share/containers/systemd/web.container",
    text: `[Container]
Image=quay.io/example/web:1
GlobalArgs=--storage-opt=additionalimagestore=/usr/lib/bootc/storage`,
  },
  seeAlso: ["bootc-upgrade", "bootc-install-to-disk"],
};

const REINSTALL_CONFIG: FormatPage = {
  name: "system-reinstall-bootc",
  title: "the image for system-reinstall-bootc",
  synopsis: ["$BOOTC_REINSTALL_CONFIG"],
  description: [
    "If the variable BOOTC_REINSTALL_CONFIG names a YAML file, system-reinstall-bootc takes the " +
      "image from it, and " +
      "not from its command line. Both keys are required, and others are errors.",
  ],
  keys: [
    { term: "bootc_image", text: "the image to install" },
    {
      term: "composefs_backend",
      text: "true to have the image installed with composefs, or else false",
    },
  ],
  example: {
    file: "reinstall.yaml",
    text: `bootc_image: quay.io/example/os:latest
composefs_backend: false`,
  },
  seeAlso: ["system-reinstall-bootc"],
};

const LINT_CONFIG: FormatPage = {
  name: "bootc-lint",
  title: "findings of bootc container lint that an image lives with",
  synopsis: ["/usr/lib/bootc/lint.toml"],
  description: [
    "A TOML file in the image with a table [[suppress]] for each suppression. A finding that one " +
      "matches is not reported.",
    "An unknown key is an error. A suppression that matches nothing is reported by the check " +
      "unused-suppressions, which is a warning.",
  ],
  keys: [
    {
      term: "name",
      text: "the name of the check, as `bootc container lint --list` shows it; required",
    },
    {
      term: "path",
      text: "a path in the image, or a pattern with *, ** and ?; without it, all findings of the check",
    },
    { term: "reason", text: "why the image lives with it; required" },
  ],
  example: {
    file: "/usr/lib/bootc/lint.toml",
    text: `[[suppress]]
name = "toplevel-entries"
path = "/app"
reason = "the vendor's installer insists on it"`,
  },
  seeAlso: ["bootc-container-lint"],
};

export const FORMATS: readonly FormatPage[] = [
  INSTALL_CONFIG,
  KARGS,
  BOUND_IMAGES,
  LINT_CONFIG,
  REINSTALL_CONFIG,
];
