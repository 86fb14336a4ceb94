import { existsSync, symlinkSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeImageRoot } from "../../testing/image-root.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { type LintOptions, lint } from "./lint.ts";

/** The transcript, and the error's message and hint behind it. */
async function run(rootfs: string, options: Partial<LintOptions> = {}): Promise<string> {
  const { ctx, transcript } = scriptedContext("/nonexistent", []);
  const error = await lint(ctx, { rootfs, format: "human", ...options }).then(
    () => "",
    (it: Error) => `= ${it.message}${it.cause instanceof Error ? `: ${it.cause.message}` : ""}\n`,
  );
  const text = transcript() + error;
  return rootfs === "/" ? text : text.replaceAll(rootfs, "ROOTFS");
}

const NOTES = `
! note: skipped etc-unowned: no package database was found
! note: skipped image-labels, layer-sizes, rewritten-files: needs --image
! note: skipped moved-ids, new-setuid: needs --base`;

test("nothing found", async () => {
  expect(await run(await makeImageRoot())).toBe(
    `${NOTES}\n> Checks passed: 41\nChecks skipped: 7\n`,
  );
});

test("a fatal finding fails, a warning only with --fatal-warnings, a note never", async () => {
  const warned = await makeImageRoot({ "var/log/x": "x", app: { dir: 0o755 } });
  const text = `${NOTES}
> Lint note: toplevel-entries: Unusual entries in the root directory:
  /app

Lint note: var-content: Found files in /var that nothing makes:
  /var/log/x

Lint warning: var-log: Found non-empty logfile: /var/log/x
Checks passed: 38
Checks skipped: 7
Warnings: 1
Notes: 2
`;
  expect(await run(warned)).toBe(text);
  expect(await run(warned, { fatalWarnings: true })).toBe(`${text}= Linting: Checks failed: 1\n`);
  const skip = ["var-log", "var-content", "toplevel-entries"];
  expect(await run(warned, { fatalWarnings: true, skip })).not.toContain("=");
  expect(await run(await makeImageRoot({ tmp: null }))).toContain("= Linting: Checks failed: 1\n");
});

test("a check that cannot run fails, after the findings of the others", async () => {
  const root = await makeImageRoot({ "usr/lib/modules/1/vmlinuz": "", "usr/etc/x": "" });
  const text = await run(root);
  expect(text).toContain("> Failed lint: etc-usretc: Found /usr/etc");
  expect(text).toMatch(
    /= Unexpected runtime error running lint kernel: Found multiple subdirectories in usr\/lib\/modules\n$/,
  );
});

test("an unknown name after --skip is noted", async () => {
  expect(await run(await makeImageRoot(), { skip: ["moved-ids", "no-such"] })).toContain(
    "\n! note: no check is named `no-such`; `bootc container lint --list` lists them\n",
  );
});

test("--fix repairs, and the report has what is left", async () => {
  const root = await makeImageRoot({ "var/log/x": "x", app: { dir: 0o755 }, tmp: null });
  expect(await run(root, { fix: true })).toBe(`
! Fixed: var-log: removed /var/log/x
! Fixed: api-base-directories: made the directory /tmp${NOTES}
> Lint note: toplevel-entries: Unusual entries in the root directory:
  /app

Checks passed: 40
Checks skipped: 7
Notes: 1
`);
  expect(existsSync(join(root, "var/log/x"))).toBe(false);
});

test("--fix does not change the machine it runs on", async () => {
  expect(await run("/", { fix: true })).toBe(
    "\n\n= --fix does not change the machine it runs on\n",
  );
});

test("a base image is a directory, or an image by its name", async () => {
  const [root, base] = [
    await makeImageRoot({ "usr/bin/x": { text: "", mode: 0o4755 } }),
    await makeImageRoot(),
  ];
  const text = await run(root, { base });
  expect(text).toContain("  /usr/bin/x 4755\n");
  expect(text).not.toContain("moved-ids");
  expect(await run(root, { base: "/no/such" })).toMatch(
    /= `\/no\/such` is neither a directory nor an image\n$/,
  );
  expect(await run("/no/such")).toMatch(/= `ROOTFS` is not a directory\n$/);
});

test("links of the root lead nowhere outside it", async () => {
  const root = await makeImageRoot();
  await rm(join(root, "etc/passwd"));
  await rm(join(root, "etc/shadow"));
  symlinkSync("/etc/passwd", join(root, "etc/passwd"));
  symlinkSync("../../../../../../../../etc/shadow", join(root, "etc/shadow"));
  symlinkSync("/", join(root, "usr/lib/root"));
  // A circle of links is nothing.
  expect(await run(root)).toBe(`${NOTES}\n> Checks passed: 41\nChecks skipped: 7\n`);
});

test("SARIF and GitHub's annotations are the whole answer", async () => {
  const root = await makeImageRoot();
  expect(await run(root, { format: "github" })).toBe(`${NOTES}\n`);
  writeFileSync(join(root, "run/x"), "");
  expect(await run(root, { format: "github" })).toBe(
    `${NOTES}\n> ::warning file=run/x,title=nonempty-run-tmp::` +
      "Found content in runtime-only directories (/run, /tmp): /run/x\n",
  );
  const [, sarif = ""] = (await run(root, { format: "sarif" })).split("\n> ");
  expect(JSON.parse(sarif).runs[0].results).toHaveLength(1);
});

test("--list has every check, as YAML", async () => {
  const text = await run("/", { list: true });
  expect(text).toContain(
    "- name: buildah-injected\n  type: warning\n" +
      "  description: /etc/hostname and /etc/resolv.conf are not empty files\n" +
      "  root-type: Alternative\n",
  );
  expect(text.match(/- name: /g)).toHaveLength(48);
});
