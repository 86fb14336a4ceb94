import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placesOf } from "./spec.ts";

const TOP = join(import.meta.dirname, "..");

test("what lies in packaging/rootfs is installed, and its units are known to systemd", () => {
  const names = [
    "README.md",
    "packaging/rootfs/usr/lib/systemd/system/a.service",
    "packaging/rootfs/usr/lib/systemd/system/a.target",
    "packaging/rootfs/usr/lib/systemd/system/of-others.service.d/a.conf",
    "packaging/rootfs/usr/libexec/x/y",
    "packaging/rootfs/usr/bin/system-reinstall-bootc",
    "packaging/rootfs/usr/lib/system-reinstall-bootc/z",
  ];
  expect(placesOf(names)).toMatchObject({
    rootfs: [
      "%{_prefix}/lib/systemd/system/a.service",
      "%{_prefix}/lib/systemd/system/a.target",
      "%{_prefix}/lib/systemd/system/of-others.service.d/a.conf",
      "%{_prefix}/libexec/x/y",
    ],
    reinstall: ["%{_prefix}/bin/system-reinstall-bootc", "%{_prefix}/lib/system-reinstall-bootc/z"],
    units: ["a.service"],
    folders: expect.arrayContaining(["%{_prefix}/lib/systemd/system/of-others.service.d"]),
  });
});

// Units stop in the reverse order of their start.
test.each([
  ["bootc-label-etc", "after", /^Before=.*\bostree-finalize-staged\.service\b/m],
  ["bootc-label-merged-etc", "before", /^After=.*\bostree-finalize-staged\.service\b/m],
])("%s.service starts with ostree's unit and stops %s it", async (name, _when, order) => {
  const dir = join(TOP, "packaging/rootfs/usr/lib/systemd/system");
  const unit = await readFile(join(dir, `${name}.service`), "utf8");
  expect(unit).toMatch(order);
  expect(unit).toMatch(/^Conflicts=final\.target$/m);
  expect(unit).toMatch(/^ConditionSecurity=!selinux$/m);
  const dropIn = join(dir, "ostree-finalize-staged.service.d/50-bootc.conf");
  expect(await readFile(dropIn, "utf8")).toMatch(new RegExp(`^Wants=.*\\b${name}\\.service`, "m"));
});

test("what ostree copies is labelled once services have stopped", async () => {
  const dir = join(TOP, "packaging/rootfs/usr/lib/systemd/system");
  const unit = await readFile(join(dir, "bootc-label-merged-etc.service"), "utf8");
  expect(unit).toMatch(/^Before=.*\bbasic\.target\b/m);
});

test("ostree's unit that completes a boot stops at a soft reboot, and runs again", async () => {
  const dir = join(TOP, "packaging/rootfs/usr/lib/systemd/system");
  const dropIn = await readFile(join(dir, "ostree-boot-complete.service.d/50-bootc.conf"), "utf8");
  expect(dropIn).toMatch(/^Conflicts=final\.target$/m);
});

test.each([
  "packaging/rootfs/etc/a.conf",
  "packaging/rootfs/usr/lib/a b",
  "packaging/rootfs/usr/lib/%{a}",
])("%s has no place in the package", (name) => {
  expect(() => placesOf([name])).toThrow("is not a valid place for a file of the package");
});

/** Programs a literal call of `ctx.read` or `ctx.run` in `text` starts. */
function startedPrograms(text: string): readonly string[] {
  return [
    ...text.matchAll(/\.(?:read|run|start|pipe)\(\s*(?:ctx,\s*)?"([a-z][\w.-]*)"\s*,\s*\[/g),
  ].map(([, name = ""]) => name);
}

/** Asked only where somebody uses it already. */
const OF_OTHERS = ["sshd"];

test("the package requires or recommends every program that bootc starts", async () => {
  const { rpm } = JSON.parse(await readFile(join(TOP, "package.json"), "utf8"));
  const known = new Set([...OF_OTHERS, ...Object.keys({ ...rpm.requires, ...rpm.recommends })]);
  const started = new Map<string, string>();
  for await (const path of glob("src/**/*.ts", { cwd: TOP })) {
    if (path.endsWith(".test.ts") || path.startsWith("src/testing/")) continue;
    for (const name of startedPrograms(await readFile(join(TOP, path), "utf8")))
      started.set(name, path);
  }
  expect(started.size).toBeGreaterThan(0);
  const missing = [...started].filter(([name]) => !known.has(name));
  expect(missing, "add them to `rpm.requires` or `rpm.recommends` in package.json").toEqual([]);
});
