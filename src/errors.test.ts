import { describe, expect, test } from "vitest";
import {
  BootcError,
  describeError,
  diskFailure,
  doing,
  exitStatusOf,
  isInternalError,
} from "./errors.ts";

describe("describeError", () => {
  test("names each layer once, outermost first, and keeps the hint next to the root", async () => {
    const failure = doing("staging `x`", async () => {
      throw new BootcError("no such image", { kind: "network", hint: "check the name" });
    });
    const error = await failure.catch((it) => it);
    expect(describeError(error)).toEqual({
      kind: "network",
      message: "staging `x`",
      causes: ["no such image"],
      hint: "check the name",
    });
    expect(exitStatusOf(error)).toBe(4);
  });

  test("shows an urgent hint although the cause has one", () => {
    const cause = new BootcError("i/o error", { hint: "see `dmesg`" });
    const options = { cause, hint: "undo it", isHintUrgent: true };
    const error = new BootcError("going on", { cause: new BootcError("half done", options) });
    expect(describeError(error).hint).toBe("undo it");
  });

  test("recognizes a full disk at any depth", async () => {
    const full = Object.assign(new Error("write ENOSPC"), { code: "ENOSPC" });
    const error = await doing("writing", async () => Promise.reject(full)).catch((it) => it);
    expect(exitStatusOf(error)).toBe(8);
    expect(isInternalError(error)).toBe(false);
  });

  test.each([
    { code: "ENOSPC", status: 8, hint: "make room on that file system, and run this again" },
    { code: "EDQUOT", status: 8, hint: "raise the quota or make room, and run this again" },
    { code: "EROFS", status: 1, hint: expect.stringContaining("that file system is read-only") },
    { code: "EIO", status: 1, hint: expect.stringContaining("the disk has failed") },
    { code: "EACCES", status: 1, hint: expect.stringContaining("`ausearch -m avc` may show") },
    { code: "ENOENT", status: 1, hint: null },
  ])("says what to do about $code", async ({ code, status, hint }) => {
    const failure = Object.assign(new Error(`${code}: it failed`), { code });
    const error = await doing("writing", async () => Promise.reject(failure)).catch((it) => it);
    expect(exitStatusOf(error)).toBe(status);
    expect(describeError(error).hint).toEqual(hint);
  });

  test.each([
    {
      code: "Unknown system error -122",
      said: "Unknown system error -122: Unknown system error -122",
    },
    { code: "UNKNOWN", said: "UNKNOWN: unknown error" },
  ])("knows a quota, which Node calls `$code`", ({ code, said }) => {
    const error = Object.assign(new Error(`${said}, write`), { code, errno: -122 });
    expect(describeError(error).message).toBe("EDQUOT: disk quota exceeded, write");
    expect(exitStatusOf(error)).toBe(8);
    expect(isInternalError(error)).toBe(false);
  });

  test.each([
    { number: -117, said: "EUCLEAN: structure needs cleaning, lstat '/x'" },
    { number: -74, said: "EBADMSG: bad message, lstat '/x'" },
  ])("knows a damaged file system ($number)", ({ number, said }) => {
    const code = `Unknown system error ${number}`;
    const options = { code, errno: number };
    const error = Object.assign(new Error(`${code}: ${code}, lstat '/x'`), options);
    expect(isInternalError(error)).toBe(false);
    expect(exitStatusOf(error)).toBe(1);
    expect(describeError(error)).toMatchObject({
      message: said,
      hint: expect.stringContaining("that file system is damaged"),
    });
  });

  test.each([
    ["error: fsetxattr: Structure needs cleaning", "that file system is damaged; "],
    ["error: Opening dir: openat(var): Bad message", "its file system may be damaged; "],
    ["cp: cannot open 'a': Bad message", "its file system may be damaged; "],
    ["Failed to read credential: Bad message", "a file is malformed, or "],
  ])(
    "knows a damaged file system by the words of a program, and what repairs it: %s",
    (said, what) => {
      const failure = diskFailure(said);
      expect(failure?.kind).toBe("failed");
      expect(failure?.hint).toContain(what);
      expect(failure?.hint).toMatch(
        /ext4 with `e2fsck`, XFS with `xfs_repair`, btrfs with `btrfs check`/,
      );
    },
  );

  test("tells nobody to be root who is", () => {
    const error = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
    const hintFor = (isRoot: boolean) => describeError(error, { isRoot }).hint;
    expect(hintFor(true)).not.toContain("run it as root");
    expect(hintFor(false)).toMatch(/; run it as root$/);
  });

  test("says where to look when ostree gives a wrong reason for a lock that it cannot open", () => {
    const said = "error: Opening lock file (null)/.lock failed: Inappropriate ioctl for device";
    expect(diskFailure(said)?.hint).toContain("the lock of ostree's repository cannot be opened");
  });

  test("a message that is bad for another reason is not a damaged file system", () => {
    expect(diskFailure("error: bad message from the registry: EOF")).toBeUndefined();
  });

  test("a TypeError below our own layers is our bug", async () => {
    const error = await doing("x", async () => Promise.reject(new TypeError("y"))).catch(
      (it) => it,
    );
    expect(isInternalError(error)).toBe(true);
  });
});
