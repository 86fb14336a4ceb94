import { constants } from "node:os";
import { expect, test } from "vitest";
import { BootcError } from "../../errors.ts";
import { systemError } from "../../native/ffi.ts";
import type { Libc } from "../../native/libc.ts";
import { setXattrs, withLabel } from "./xattrs.ts";

const OLD = { name: "security.selinux", value: Buffer.from("old\0") };
const OTHER = { name: "user.a", value: Buffer.from("1") };

test("a label takes the place of the one there was, and none leaves the others", () => {
  const value = Buffer.from("new\0");
  expect(withLabel([OLD, OTHER], value)).toEqual([OTHER, { name: "security.selinux", value }]);
  expect(withLabel([OTHER], value)).toEqual([OTHER, { name: "security.selinux", value }]);
  expect(withLabel([OLD, OTHER], undefined)).toEqual([OTHER]);
});

type Errno = keyof typeof constants.errno;

function failureOf(errno: Errno, file: string | number, name: string, bytes = 1): unknown {
  const cause = systemError(constants.errno[errno], { syscall: "lsetxattr" });
  const libc = {
    setXattr() {
      throw cause;
    },
  } as unknown as Libc;
  try {
    setXattrs(libc, file, [{ name, value: Buffer.alloc(bytes) }]);
    return undefined;
  } catch (error) {
    return error;
  }
}

test.each<[Errno, string | number, string]>([
  ["EPERM", "link", "user.a"],
  ["EOPNOTSUPP", "link", "system.posix_acl_access"],
  ["EACCES", 3, "system.posix_acl_default"],
  ["EOPNOTSUPP", 3, "system.odd"],
  ["EINVAL", 3, "security.capability"],
])("%s for %j and %s: the image's fault", (errno, file, name) => {
  expect(failureOf(errno, file, name)).toMatchObject({
    kind: "integrity",
    message: expect.stringContaining(`\`${name}\``),
  });
});

test.each<[Errno, number]>([
  ["EOPNOTSUPP", 1],
  ["ENOSPC", 5000],
  ["E2BIG", 70_000],
])("%s for %d bytes: the file system lacks something, and the hint says what", (errno, bytes) => {
  const error = failureOf(errno, 3, "user.a", bytes);
  expect(error).toMatchObject({ kind: "unsupported", hint: expect.stringContaining("ext4") });
});

test.each<Errno>(["ENOSPC", "EPERM", "EIO"])("%s otherwise: as the system says it", (errno) => {
  const error = failureOf(errno, 3, "user.a");
  expect(error).not.toBeInstanceOf(BootcError);
  expect(error).toMatchObject({ code: errno });
});
