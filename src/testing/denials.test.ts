import { expect, test } from "vitest";
import { hasPolicy, isOurs, readDenials, readOwnDenials } from "./denials.ts";

const LINE =
  '[   12.5] audit: type=1400 audit(1.2:3): avc:  denied  { execmem } for  pid=7 comm="COMM"' +
  " NAME scontext=system_u:system_r:SOURCE:s0 tcontext=system_u:system_r:TARGET:s0 tclass=process permissive=0";

function lineOf(words: Readonly<Record<string, string>>): string {
  return Object.entries(words).reduce((line, [key, to]) => line.replace(key, to), LINE);
}

test("finds denials between other lines, with their fields", () => {
  const log = `hello\r\n${lineOf({ COMM: "udevd" })}\r\n[  OK  ] Started\r\n`;
  const denials = readDenials(log);
  expect(denials).toHaveLength(1);
  expect(denials[0]?.fields.get("comm")).toBe("udevd");
  expect(denials[0]?.fields.get("tclass")).toBe("process");
});

test.each([
  { COMM: "bootc" },
  { COMM: "node-MainThread" },
  { COMM: "ostree" },
  { COMM: "skopeo" },
  { COMM: "publish-boot-en" },
  { COMM: "health" },
  { COMM: "libuv-worker", SOURCE: "bootc_t" },
  { COMM: "systemd", NAME: 'path="/run/bootc/boot-entries"' },
  { COMM: "systemd", NAME: 'path="/usr/lib/systemd/system/bootc-fetch-apply-updates.timer"' },
  { COMM: "systemd-tmpfile", NAME: 'path="/sysroot/ostree/repo"' },
])("a denial of our own: %o", (words) => {
  expect(readDenials(lineOf(words)).map(isOurs)).toEqual([true]);
});

test("the denials of other programs are not ours", () => {
  const words = { COMM: "systemd-logind", NAME: 'name="kmsg"', SOURCE: "a_t", TARGET: "b_t" };
  expect(readDenials(lineOf(words)).map(isOurs)).toEqual([false]);
});

test("a log with lost messages proves nothing", () => {
  expect(() => readDenials("[ 1.0] audit: kauditd hold queue overflow\n")).toThrow("not complete");
});

const LOADED =
  "[    9.1] audit: type=1403 audit(1.2:2): auid=4294967295 ses=4294967295 lsm=selinux res=1\r\n";

test("a boot under a policy: only the denials of our own", () => {
  const log = `${LOADED}${lineOf({ COMM: "udevd" })}\r\n${lineOf({ COMM: "bootc" })}\r\n`;
  expect(readOwnDenials(log).map((it) => it.fields.get("comm"))).toEqual(["bootc"]);
});

test.each([
  ["an empty log", ""],
  ["a boot without a policy", "[    0.0] Linux version 6.12\r\n"],
  ["a denial of a kernel whose policy was not seen", lineOf({ COMM: "bootc" })],
])("%s proves nothing", (_, log) => {
  expect(hasPolicy(log)).toBe(false);
  expect(() => readOwnDenials(log)).toThrow("no policy");
});
