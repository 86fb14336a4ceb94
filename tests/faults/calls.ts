// The system calls that change a file system, by their numbers on x86-64, and the arguments that name the file.

/** How the arguments of a call name the file. */
export type Target =
  /** The argument at this place is a descriptor. */
  | { readonly fd: number }
  /** The argument at this place is a path; the one at `at` is the directory that it starts from. */
  | { readonly path: number; readonly at?: number };

export interface Call {
  readonly number: number;
  readonly target: Target;
  /** Only with one of these bits in the argument at `at`. */
  readonly bits?: { readonly at: number; readonly mask: number };
  /** Only with one of these values of the argument at `at`. */
  readonly values?: { readonly at: number; readonly values: readonly number[] };
}

const fd = (number: number, at = 0): Call => ({ number, target: { fd: at } });
const path = (number: number, at = 0): Call => ({ number, target: { path: at } });
const pathAt = (number: number, at = 0): Call => ({ number, target: { path: at + 1, at } });

/** O_WRONLY, O_RDWR, O_CREAT and O_TRUNC; O_TMPFILE comes with one of them. */
const OPENED_TO_WRITE = 0x1 | 0x2 | 0o100 | 0o1000;
const FICLONE = 0x40049409;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_IOC_ENABLE_VERITY = 0x40806685;

export const CALLS = {
  write: fd(1),
  open: { ...path(2), bits: { at: 1, mask: OPENED_TO_WRITE } },
  ioctl: {
    ...fd(16),
    values: { at: 1, values: [FICLONE, FS_IOC_SETFLAGS, FS_IOC_ENABLE_VERITY] },
  },
  pwrite64: fd(18),
  writev: fd(20),
  sendfile: fd(40),
  fsync: fd(74),
  fdatasync: fd(75),
  truncate: path(76),
  ftruncate: fd(77),
  rename: path(82, 1),
  mkdir: path(83),
  rmdir: path(84),
  creat: path(85),
  link: path(86, 1),
  unlink: path(87),
  symlink: path(88, 1),
  chmod: path(90),
  fchmod: fd(91),
  chown: path(92),
  fchown: fd(93),
  lchown: path(94),
  utime: path(132),
  mknod: path(133),
  setxattr: path(188),
  lsetxattr: path(189),
  fsetxattr: fd(190),
  removexattr: path(197),
  lremovexattr: path(198),
  fremovexattr: fd(199),
  utimes: path(235),
  openat: { ...pathAt(257), bits: { at: 2, mask: OPENED_TO_WRITE } },
  mkdirat: pathAt(258),
  mknodat: pathAt(259),
  fchownat: pathAt(260),
  futimesat: pathAt(261),
  unlinkat: pathAt(263),
  renameat: pathAt(264, 2),
  linkat: pathAt(265, 2),
  symlinkat: pathAt(266, 1),
  fchmodat: pathAt(268),
  splice: fd(275, 2),
  sync_file_range: fd(277),
  utimensat: pathAt(280),
  fallocate: fd(285),
  pwritev: fd(296),
  syncfs: fd(306),
  renameat2: pathAt(316, 2),
  copy_file_range: fd(326, 2),
  pwritev2: fd(328),
  fchmodat2: pathAt(452),
} as const satisfies Readonly<Record<string, Call>>;

export type CallName = keyof typeof CALLS;

export const CALL_NAMES = Object.keys(CALLS) as readonly CallName[];
