// Checks of the C library calls. They do not use vitest, so that other runtimes can run them too.
import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Libc } from "../native/libc.ts";
import { detached, shrunk } from "./libc-nonsense.ts";

export interface LibcCheck {
  readonly name: string;
  readonly needsRoot?: true;
  /** Throws if the check fails. `dir` is an empty directory. */
  check(libc: Libc, dir: string): void;
}

export const LIBC_CHECKS: readonly LibcCheck[] = [
  { name: "a file has the attributes it is given", check: checkFile },
  { name: "a descriptor stands for the file it was opened on", check: checkDescriptor },
  {
    name: "root sets labels, capabilities and trusted attributes",
    needsRoot: true,
    check: checkRoots,
  },
  { name: "a symbolic link has attributes of its own", needsRoot: true, check: checkLink },
  { name: "a value may be empty or long, and one beyond the limit is refused", check: checkSizes },
  { name: "a failure has the form of those of fs", check: checkFailures },
  { name: "each of thousands of failures gives its own reason", check: checkReasons },
  { name: "a shared lock admits shared ones, an exclusive one none", check: checkLocks },
  { name: "a lock ends with its own descriptor, not with another", check: checkLockClosed },
  { name: "a flock is held once", check: checkFlock },
  { name: "a rename does not replace what is there", check: checkRenameToNew },
  { name: "two names are swapped", check: checkExchange },
];

function checkFile(libc: Libc, dir: string): void {
  const file = join(dir, "file");
  writeFileSync(file, "");
  for (const path of [file, dir]) {
    assert.deepEqual(libc.listXattrs(path), []);
    libc.setXattr(path, "user.one", Buffer.from("first"));
    libc.setXattr(path, "user.one", Buffer.from([0, 255, 0]));
    libc.setXattr(path, "user.\u00fc", Buffer.from("x"));
    assert.deepEqual(libc.getXattr(path, "user.one"), Buffer.from([0, 255, 0]));
    assert.deepEqual([...libc.listXattrs(path)].sort(), ["user.one", "user.\u00fc"]);
    libc.removeXattr(path, "user.one");
    assert.equal(libc.getXattr(path, "user.one"), undefined);
    assert.deepEqual(libc.listXattrs(path), ["user.\u00fc"]);
  }
}

function checkDescriptor(libc: Libc, dir: string): void {
  withFile(dir, (fd, path) => {
    libc.setXattr(fd, "user.a", Buffer.from("1"));
    assert.deepEqual(libc.getXattr(path, "user.a"), Buffer.from("1"));
    assert.deepEqual(libc.getXattr(fd, "user.a"), Buffer.from("1"));
    assert.deepEqual(libc.listXattrs(fd), ["user.a"]);
    libc.removeXattr(fd, "user.a");
    assert.deepEqual(libc.listXattrs(path), []);
  });
}

const LABEL = Buffer.from("system_u:object_r:etc_t:s0\0");
/** CAP_NET_RAW, as `setcap` writes it. */
const CAPABILITY = Buffer.from("0100000200200000000000000000000000000000", "hex");

function checkRoots(libc: Libc, dir: string): void {
  withFile(dir, (fd, path) => {
    libc.setXattr(fd, "security.selinux", LABEL);
    libc.setXattr(fd, "security.capability", CAPABILITY);
    libc.setXattr(fd, "trusted.overlay.opaque", Buffer.from("y"));
    assert.deepEqual(libc.getXattr(path, "security.selinux"), LABEL);
    assert.deepEqual(libc.getXattr(path, "security.capability"), CAPABILITY);
    assert.deepEqual(libc.getXattr(path, "trusted.overlay.opaque"), Buffer.from("y"));
    const names = ["security.capability", "security.selinux", "trusted.overlay.opaque"];
    assert.deepEqual([...libc.listXattrs(fd)].sort(), names);
    const invalid = () => libc.setXattr(fd, "security.capability", Buffer.from("short"));
    assert.throws(invalid, { code: "EINVAL" });
  });
}

function checkLink(libc: Libc, dir: string): void {
  const link = join(dir, "link");
  symlinkSync("nowhere", link);
  libc.setXattr(link, "security.selinux", LABEL);
  assert.deepEqual(libc.getXattr(link, "security.selinux"), LABEL);
  assert.deepEqual(libc.listXattrs(link), ["security.selinux"]);
  // The kernel allows no `user.*` on links.
  assert.throws(() => libc.setXattr(link, "user.a", Buffer.from("x")), { code: "EPERM" });
  libc.removeXattr(link, "security.selinux");
  assert.deepEqual(libc.listXattrs(link), []);
}

function checkSizes(libc: Libc, dir: string): void {
  withFile(dir, (fd) => {
    const value = Buffer.alloc(3000, "v");
    libc.setXattr(fd, "user.empty", Buffer.alloc(0));
    libc.setXattr(fd, "user.long", value);
    libc.setXattr(fd, "user.part", value.subarray(10, 12));
    assert.deepEqual(libc.getXattr(fd, "user.empty"), Buffer.alloc(0));
    assert.deepEqual(libc.getXattr(fd, "user.long"), value);
    assert.deepEqual(libc.getXattr(fd, "user.part"), Buffer.from("vv"));
    for (const gone of [detached(), shrunk()]) {
      assert.throws(() => libc.setXattr(fd, "user.gone", gone), { name: "BootcError" });
    }
    assert.equal(libc.getXattr(fd, "user.gone"), undefined);
    const beyond = Buffer.alloc(65537);
    assert.throws(() => libc.setXattr(fd, "user.beyond", beyond), { code: "E2BIG" });
    const name = `user.${"n".repeat(251)}`;
    assert.throws(() => libc.setXattr(fd, name, value), { code: "ERANGE" });
  });
}

function checkFailures(libc: Libc, dir: string): void {
  const path = join(dir, "missing");
  const value = Buffer.from("x");
  const text = `ENOENT: no such file or directory, setxattr '${path}'`;
  assert.throws(() => libc.setXattr(path, "user.a", value), {
    name: "Error",
    message: text,
    code: "ENOENT",
    errno: -2,
    syscall: "setxattr",
    path,
  });
  assert.throws(() => libc.listXattrs(path), { code: "ENOENT", syscall: "listxattr", path });
  assert.throws(() => libc.listXattrs(1_000_000_000), { code: "EBADF", syscall: "listxattr" });
  assert.throws(() => libc.getXattr(path, "user.a"), { code: "ENOENT" });
  writeFileSync(path, "");
  assert.throws(() => libc.removeXattr(path, "user.a"), { code: "ENODATA" });
  assert.throws(() => libc.setXattr(path, "no-namespace", value), { code: "ENOTSUP" });
}

/** Whatever the engine does between a call and reading errno must not change the result. */
function checkReasons(libc: Libc, dir: string): void {
  const file = join(dir, "file");
  writeFileSync(file, "");
  const value = Buffer.from("x");
  const garbage: unknown[] = [];
  const calls: readonly (readonly [code: string, () => unknown])[] = [
    ["ENOENT", () => libc.setXattr(`${file}.not`, "user.a", value)],
    ["ENOTDIR", () => libc.listXattrs(`${file}/below`)],
    ["ENODATA", () => libc.removeXattr(file, "user.a")],
    ["ENOTSUP", () => libc.setXattr(file, "x", value)],
    ["ERANGE", () => libc.getXattr(file, `user.${"n".repeat(300)}`)],
    ["EBADF", () => libc.tryFlock(1_000_000_000)],
    ["ENAMETOOLONG", () => libc.renameToNew(file, join(dir, "n".repeat(300)))],
  ];
  for (let i = 0; i < 7000; i++) {
    const [code, call] = calls[i % calls.length] ?? assert.fail();
    assert.throws(call, { code });
    garbage[i % 500] = [Buffer.alloc(10_000), `${i} of many`];
  }
}

function checkLocks(libc: Libc, dir: string): void {
  const path = join(dir, ".lock");
  const [ours, theirs] = [openSync(path, "a+"), openSync(path, "a+")];
  assert.equal(libc.findLock(ours, "exclusive"), undefined);
  assert.equal(libc.tryLock(ours, "shared"), true);
  assert.equal(libc.tryLock(theirs, "shared"), true);
  assert.equal(libc.tryLock(theirs, "exclusive"), false);
  assert.equal(libc.findLock(theirs, "exclusive"), "shared");
  assert.equal(libc.findLock(theirs, "shared"), undefined);
  libc.unlock(ours);
  assert.equal(libc.tryLock(theirs, "exclusive"), true);
  assert.equal(libc.findLock(ours, "shared"), "exclusive");
  assert.equal(libc.tryLock(ours, "shared"), false);
  libc.unlock(theirs);
  assert.equal(libc.tryLock(ours, "exclusive"), true);
  closeSync(ours);
  closeSync(theirs);
  const reader = openSync(path, "r");
  assert.throws(() => libc.tryLock(reader, "exclusive"), { code: "EBADF", syscall: "fcntl" });
  closeSync(reader);
}

function checkLockClosed(libc: Libc, dir: string): void {
  const path = join(dir, ".lock");
  const [ours, theirs] = [openSync(path, "a+"), openSync(path, "a+")];
  assert.equal(libc.tryLock(ours, "exclusive"), true);
  // Closing any descriptor of the file would have released a lock of the older kind.
  closeSync(openSync(path, "r"));
  assert.equal(libc.tryLock(theirs, "shared"), false);
  closeSync(ours);
  assert.equal(libc.tryLock(theirs, "exclusive"), true);
  closeSync(theirs);
}

function checkFlock(libc: Libc, dir: string): void {
  const path = join(dir, "lock");
  const [ours, theirs] = [openSync(path, "a+"), openSync(path, "a+")];
  assert.equal(libc.tryFlock(ours), true);
  assert.equal(libc.tryFlock(ours), true);
  assert.equal(libc.tryFlock(theirs), false);
  assert.equal(libc.tryLock(theirs, "exclusive"), true);
  closeSync(ours);
  assert.equal(libc.tryFlock(theirs), true);
  closeSync(theirs);
}

function checkRenameToNew(libc: Libc, dir: string): void {
  const [from, to, taken] = [join(dir, "from"), join(dir, "to"), join(dir, "taken")];
  writeFileSync(from, "content");
  writeFileSync(taken, "theirs");
  const text = `EEXIST: file already exists, renameat2 '${from}' -> '${taken}'`;
  const want = { message: text, code: "EEXIST", path: from, dest: taken };
  assert.throws(() => libc.renameToNew(from, taken), want);
  assert.equal(readFileSync(taken, "utf8"), "theirs");
  libc.renameToNew(from, to);
  assert.equal(readFileSync(to, "utf8"), "content");
  assert.equal(existsSync(from), false);
}

function checkExchange(libc: Libc, dir: string): void {
  const [one, other] = [join(dir, "one"), join(dir, "other")];
  mkdirSync(one);
  writeFileSync(other, "content");
  assert.throws(() => libc.exchangeNames(one, join(dir, "missing")), { code: "ENOENT" });
  libc.exchangeNames(one, other);
  assert.equal(readFileSync(one, "utf8"), "content");
  writeFileSync(join(other, "below"), "");
}

function withFile(dir: string, use: (fd: number, path: string) => void): void {
  const path = join(dir, "open");
  const fd = openSync(path, "w+");
  try {
    use(fd, path);
  } finally {
    closeSync(fd);
  }
}
