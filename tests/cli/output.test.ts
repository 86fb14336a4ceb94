import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";

const TOP = join(import.meta.dirname, "../..");
const BOOTC = `${process.execPath} ${TOP}/src/entry.ts`;

function shell(script: string): { readonly status: number | null; readonly stderr: string } {
  const { status, stderr } = spawnSync("bash", ["-o", "pipefail", "-c", script], {
    encoding: "utf8",
  });
  return { status, stderr };
}

test.each(["--version", "--help", "status --format json", "internals print-json-schema --of host"])(
  "`bootc %s` ends well when nobody reads on",
  (words) => {
    expect(shell(`${BOOTC} ${words} | true`)).toEqual({ status: 0, stderr: "" });
  },
);

test.each(["--version", "status --format json"])("`bootc %s` onto a full disk fails", (words) => {
  expect(shell(`${BOOTC} ${words} > /dev/full`).status).toBe(8);
});

test.each([
  ["upgrade --bogus", "unknown option '--bogus'", "see `bootc upgrade --help`"],
  ["upgrad", "unknown command 'upgrad'", "did you mean `upgrade`? see `bootc --help`"],
  [
    "update --check --apply",
    "option '--check' cannot be used with option '--apply'",
    "see `bootc upgrade --help`",
  ],
  [
    "switch a b",
    "too many arguments for 'switch': expected 1 argument but got 2: a, b",
    "see `bootc switch --help`",
  ],
  ["edit --filename", "option '-f, --filename <file>' argument missing", "see `bootc edit --help`"],
  [
    "upgrade --soft-reboot x",
    "`x` is not a valid value for `--soft-reboot`",
    "use required or auto; see `bootc upgrade --help`",
  ],
  [
    "rollback --lock-timeout x",
    "`x` is not a valid value for `--lock-timeout`",
    "a number of seconds is needed; see `bootc rollback --help`",
  ],
  [
    "upgrade --stall-timeout 0",
    "`0` is not a valid value for `--stall-timeout`",
    "a number of seconds above 0 is needed; see `bootc upgrade --help`",
  ],
  [
    "upgrade --progress-fd 2",
    "Cannot use fd 2 for progress JSON",
    "give the number of a pipe's descriptor, which is above 2",
  ],
  [
    "status --format \"it's 'x'. y\"",
    "`it's 'x'. y` is not a valid value for `--format`",
    "use humanreadable, yaml or json; see `bootc status --help`",
  ],
  [
    "completion xsh",
    "`xsh` is not a valid value for `<shell>`",
    "use bash, zsh, fish, elvish or powershell; see `bootc completion --help`",
  ],
])("a usage error is a line and a hint, or one object: `bootc %s`", (words, message, hint) => {
  expect(shell(`${BOOTC} ${words}`)).toEqual({
    status: 2,
    stderr: `error: ${message}\nhint: ${hint}\n`,
  });
  const { status, stderr } = shell(`${BOOTC} --json ${words}`);
  expect([status, JSON.parse(stderr).error.kind]).toEqual([2, "usage"]);
});

test.each(["--composefs-backend", "--uki-addon x"])(
  "an option for the second backend of bootc 1.x is refused by name: %s",
  (option) => {
    expect(shell(`${BOOTC} install to-disk ${option} /dev/null`)).toEqual({
      status: 3,
      stderr:
        "error: this version installs with ostree, and has no composefs backend\n" +
        "hint: leave out --composefs-backend and the options for it\n",
    });
  },
);

test("--verbose shows each command before it runs", () => {
  const words = "internals ostree-container info ostree-unverified-image:oci:/nonexistent";
  expect(shell(`${BOOTC} ${words}`).stderr).not.toContain("skopeo inspect");
  expect(shell(`${BOOTC} ${words} --verbose`).stderr).toMatch(/^\? skopeo inspect .*oci:/m);
});

test.each([
  "rollback --lock-timeout x --json",
  "edit --bogus --json",
  "internals --json",
  "completion bash --json",
  "upgrade --json --tag",
])("`bootc %s` is answered in JSON, however far the parser comes", (words) => {
  const { status, stderr } = shell(`${BOOTC} ${words}`);
  expect([status, JSON.parse(stderr).error.kind]).toEqual([2, "usage"]);
});

test.each(["upgrade --tag --json --bogus", "switch --bogus -- --json"])(
  "what looks like `--json` and is a value asks for nothing: `bootc %s`",
  (words) => {
    const { status, stderr } = shell(`${BOOTC} ${words}`);
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^error: unknown option '--bogus'/),
    ]);
  },
);

test("a value that looks like `--verbose` asks for nothing", () => {
  const dir = mkdtempSync(join(tmpdir(), "bootc-verbose-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "--verbose"), "{}");
  const words = "info --authfile --verbose ostree-unverified-image:oci:/nonexistent";
  const { stderr } = shell(`cd ${dir} && ${BOOTC} internals ostree-container ${words}`);
  expect(stderr).toMatch(/^error: /);
});

test("an option of xtask is not mistaken for the value of another", () => {
  const xtask = `${process.execPath} ${TOP}/xtask/entry.ts`;
  expect(shell(`${xtask} bench --rounds --json nosuch`).stderr).toMatch(/^error: /);
  const { error } = JSON.parse(shell(`${xtask} bench --json nosuch`).stderr);
  expect(error.kind).toBe("usage");
  expect(shell(`${xtask} help bench --json`).stderr).toMatch(/^\{"error":/);
});

test.each([
  ["upgrade --json --bogus", "unknown option '--bogus'", "see `bootc upgrade --help`"],
  [
    "internals ostree-container image nonsense",
    "unknown command 'nonsense'",
    "see `bootc internals ostree-container image --help`",
  ],
])("the hint names the command that was meant: `bootc %s`", (words, message, hint) => {
  const { status, stderr } = shell(`${BOOTC} ${words}`);
  expect(status).toBe(2);
  const error = { kind: "usage", message, causes: [], hint };
  if (words.includes("--json")) expect(JSON.parse(stderr)).toEqual({ error });
  else expect(stderr).toBe(`error: ${message}\nhint: ${hint}\n`);
});

test("a missing command prints help", () => {
  const { status, stderr } = shell(`${BOOTC} internals`);
  expect([status, stderr]).toEqual([2, expect.stringMatching(/^Usage: bootc internals /)]);
});

describe("a process whose work is not done when nothing can happen any more", () => {
  const module = JSON.stringify(`${TOP}/src/process/run-to-end.ts`);
  /** The end of a program whose work is `main`. */
  const end = (main: string, isJson = false) =>
    spawnSync(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `import { runToEnd } from ${module};
         runToEnd({ program: "bootc", isJson: ${isJson} }, ${main});`,
      ],
      { encoding: "utf8" },
    );

  test("is an error with its own status", () => {
    expect(end("() => new Promise(() => {})")).toMatchObject({
      status: 11,
      stdout: "",
      stderr:
        "error: the program ended before its work was done\n" +
        "hint: this is a defect of bootc; please report it, with the output of --verbose\n",
    });
    const { status, stderr } = end("() => new Promise(() => {})", true);
    expect([status, JSON.parse(stderr).error.kind]).toEqual([11, "unfinished"]);
  });

  test("is one when something ends the process without a status", () => {
    expect(end("async () => process.exit()")).toMatchObject({ status: 11 });
  });

  test.each([0, 6])("ends with status %i when the work is done", (status) => {
    expect(end(`async () => ${status}`)).toMatchObject({ status, stderr: "" });
  });
});

/** The output of `words`, which must succeed. */
function answer(words: string): string {
  const [program = "", ...args] = `${BOOTC} ${words}`.split(" ");
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  expect([words, status, stderr]).toEqual([words, 0, ""]);
  return stdout;
}

test.each([
  ["help", "--help"],
  ["help --help", "--help"],
  ["help status", "status --help"],
  ["help update", "upgrade --help"],
  ["help status --help", "status --help"],
  ["help install", "install --help"],
  ["help install to-disk", "install to-disk --help"],
  ["install help", "install --help"],
  ["install help to-disk", "install to-disk --help"],
  ["help internals ostree-container image pull", "internals ostree-container image pull --help"],
])("`bootc %s` prints what `bootc %s` prints", (words, same) => {
  expect(answer(words)).toBe(answer(same));
});

test.each(["--help", "install --help", "internals ostree-container image --help"])(
  "`bootc %s` lists `help`",
  (words) => {
    expect(answer(words)).toMatch(/^ {2}help \[command\.\.\.\] +print help/m);
  },
);

test.each([
  ["nosuch --help", "unknown command 'nosuch'", "see `bootc --help`"],
  ["nosuch -h", "unknown command 'nosuch'", "see `bootc --help`"],
  ["nosuch --version", "unknown command 'nosuch'", "see `bootc --help`"],
  ["nosuch status --help", "unknown command 'nosuch'", "see `bootc --help`"],
  ["upgrad --help", "unknown command 'upgrad'", "did you mean `upgrade`? see `bootc --help`"],
  ["upgrad --check", "unknown command 'upgrad'", "did you mean `upgrade`? see `bootc --help`"],
  ["hlep", "unknown command 'hlep'", "did you mean `help`? see `bootc --help`"],
  ["help upgrad", "unknown command 'upgrad'", "did you mean `upgrade`? see `bootc --help`"],
  ["help nosuch --help", "unknown command 'nosuch'", "see `bootc --help`"],
  ["help status x", "'status' has no command 'x'", "see `bootc status --help`"],
  ["help status --json", "unknown option '--json'", "see `bootc status --help`"],
  [
    "install to-dsk --help",
    "unknown command 'to-dsk'",
    "did you mean `to-disk`? see `bootc install --help`",
  ],
  [
    "install help to-dsk",
    "unknown command 'to-dsk'",
    "did you mean `to-disk`? see `bootc install --help`",
  ],
  [
    "help container lnt",
    "unknown command 'lnt'",
    "did you mean `lint`? see `bootc container --help`",
  ],
  [
    "help internals ostree-container image pul",
    "unknown command 'pul'",
    "did you mean `pull`? see `bootc internals ostree-container image --help`",
  ],
  [
    "internals ostree-container image pul --help",
    "unknown command 'pul'",
    "did you mean `pull`? see `bootc internals ostree-container image --help`",
  ],
])("an unknown command is an error whatever follows it: `bootc %s`", (words, message, hint) => {
  const { status, stderr } = shell(`${BOOTC} ${words}`);
  expect(status).toBe(2);
  const error = { kind: "usage", message, causes: [], hint };
  if (words.includes("--json")) expect(JSON.parse(stderr)).toEqual({ error });
  else expect(stderr).toBe(`error: ${message}\nhint: ${hint}\n`);
});

test.each([
  ["nosuch --help", "error: unknown command 'nosuch'"],
  ["biuld --help", "(Did you mean build?)"],
  ["copr nosuch --help", "error: unknown command 'nosuch'"],
])("a task that does not exist is an error of xtask: `xtask %s`", (words, message) => {
  const { status, stderr } = shell(`${process.execPath} ${TOP}/xtask/entry.ts ${words}`);
  expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
});

test("`xtask help TASK` prints the help of a task", () => {
  const xtask = (...args: readonly string[]) =>
    spawnSync(process.execPath, [`${TOP}/xtask/entry.ts`, ...args], { encoding: "utf8" }).stdout;
  expect(xtask("help", "build")).toBe(xtask("build", "--help"));
  expect(xtask("help", "copr", "watch")).toBe(xtask("copr", "watch", "--help"));
});
