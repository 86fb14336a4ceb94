import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { callWithNonsense } from "../testing/libc-nonsense.ts";
import { openLibrary } from "./ffi.ts";
import { type FileLabels, openFileLabels } from "./selabel.ts";

const DIRECTORY = 0o040755;
const FILE = 0o100644;
const LINK = 0o120777;

const hasLibrary = openLibrary("libselinux.so.1", {}) !== undefined;

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "selabel-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Writes a policy, a folder of this name; each file contexts line is a path, perhaps a type, and a type name. */
function writePolicy(name: string, files: Readonly<Record<string, readonly string[]>>): string {
  const folder = join(root, name, "contexts/files");
  mkdirSync(folder, { recursive: true });
  for (const [file, lines] of Object.entries(files)) {
    const text = file.includes("subs") ? lines : lines.map(formatRule);
    writeFileSync(join(folder, file), `${text.join("\n")}\n`);
  }
  return join(root, name);
}

function formatRule(rule: string): string {
  return rule.replace(/\w+_t$/, "system_u:object_r:$&:s0").replaceAll(" ", "\t");
}

function openPolicy(policy: string): FileLabels {
  const labels = openFileLabels(policy);
  if (labels === undefined) throw new Error("libselinux cannot be called");
  return labels;
}

describe.skipIf(!hasLibrary)("libselinux", () => {
  test.for([
    { path: "/", mode: DIRECTORY, want: "root_t" },
    { path: "/etc", mode: DIRECTORY, want: "etc_t" },
    { path: "/etc/a/b", mode: FILE, want: "etc_t" },
    { path: "/etcetera", mode: FILE, want: "default_t" },
    { path: "/run/x", mode: FILE, want: undefined },
    { path: "/typed", mode: DIRECTORY, want: "dir_t" },
    { path: "/typed", mode: FILE, want: "file_t" },
    { path: "/typed", mode: LINK, want: "link_t" },
    { path: "/typed", mode: 0o010644, want: "fifo_t" },
    { path: "/typed", mode: 0o140755, want: "socket_t" },
    { path: "/typed", mode: 0o060660, want: "block_t" },
    { path: "/typed", mode: 0o020660, want: "char_t" },
    { path: "/usr/bin/\u00fc", mode: FILE, want: "bin_t" },
    { path: "/usr/local/bin/x", mode: FILE, want: "bin_t" },
    { path: "/opt/tool/bin/x", mode: FILE, want: "bin_t" },
    { path: "/home/me", mode: DIRECTORY, want: "home_t" },
    { path: "/home/me/own", mode: FILE, want: "own_t" },
    { path: "/mnt", mode: DIRECTORY, want: "mnt_t" },
    { path: "/proc", mode: DIRECTORY, want: "mnt_t" },
    { path: "/proc/1", mode: DIRECTORY, want: undefined },
    { path: "/usr//bin/x/", mode: FILE, want: "bin_t" },
  ])("of $path with mode $mode is $want", ({ path, mode, want }) => {
    const labels = openPolicy(
      writePolicy("crafted", {
        file_contexts: [
          "/.* default_t",
          "/ -d root_t",
          "/etc(/.*)? etc_t",
          "/run(/.*)? <<none>>",
          ...["-d dir_t", "-- file_t", "-l link_t", "-p fifo_t"].map((it) => `/typed ${it}`),
          ...["-s socket_t", "-b block_t", "-c char_t"].map((it) => `/typed ${it}`),
          "/usr/bin(/.*)? bin_t",
          "/mnt -d mnt_t",
          "/proc(/.*)? <<none>>",
        ],
        "file_contexts.homedirs": ["/home/[^/]+ -d home_t", "/home/[^/]+/.+ home_t"],
        "file_contexts.local": ["/home/me/own own_t"],
        "file_contexts.subs_dist": ["/usr/local /usr"],
        "file_contexts.subs": ["/opt/tool /usr/local"],
      }),
    );
    const label = want === undefined ? undefined : `system_u:object_r:${want}:s0`;
    expect(labels.lookUp(path, mode)).toBe(label);
    labels.close();
  });

  test("two policies are open at once, each with its own answers", () => {
    const one = openPolicy(writePolicy("one", { file_contexts: ["/.* one_t"] }));
    const other = openPolicy(writePolicy("other", { file_contexts: ["/.* other_t"] }));
    for (const [labels, type] of [[one, "one_t"] as const, [other, "other_t"] as const]) {
      expect(labels.lookUp("/etc", DIRECTORY)).toBe(`system_u:object_r:${type}:s0`);
    }
    one.close();
    expect(other.lookUp("/etc", DIRECTORY)).toBe("system_u:object_r:other_t:s0");
    other.close();
  });

  test("a policy may be closed twice, and cannot be used afterwards", () => {
    const labels = openPolicy(writePolicy("one", { file_contexts: ["/.* one_t"] }));
    labels.close();
    labels.close();
    expect(() => labels.lookUp("/etc", DIRECTORY)).toThrow("the SELinux policy is closed already");
  });

  test("senseless lookups end in an error", () => {
    const labels = openPolicy(writePolicy("one", { file_contexts: ["/.* one_t"] }));
    const { calls, failures } = callWithNonsense(labels);
    expect(failures).toBeGreaterThan(calls / 2);
    expect(() => labels.lookUp("", DIRECTORY)).toThrow("`''` is not a path");
    expect(() => labels.lookUp("etc", DIRECTORY)).toThrow("`etc` is not an absolute path");
    expect(() => labels.lookUp("/etc", -1)).toThrow("`-1` is not the mode of a file");
    labels.close();
  });

  test("a policy without file contexts is an error of the system", () => {
    const path = join(root, "none/contexts/files/file_contexts");
    const want = expect.objectContaining({ code: "ENOENT", syscall: "selabel_open", path });
    expect(() => openFileLabels(join(root, "none"))).toThrow(want);
  });

  test.each([
    {
      what: "a line that is not a rule",
      lines: ["\u001b[31mgarbage"],
      fault: "read its file contexts",
    },
    { what: "an unknown type", lines: ["/.* -z a_t"], fault: "read its file contexts" },
    {
      what: "an expression that does not compile",
      lines: ["/.* a_t", "/x/((( b_t"],
      fault: "apply",
    },
  ])("a policy with $what is refused, and nothing is printed", ({ lines, fault }) => {
    const policy = writePolicy("damaged", { file_contexts: lines });
    const program = join(root, "open.ts");
    const module = JSON.stringify(join(import.meta.dirname, "selabel.ts"));
    writeFileSync(
      program,
      `import { openFileLabels } from ${module};
       try { openFileLabels(process.argv[2])?.lookUp("/x/y", 0o100644); }
       catch (error) { console.log(error.name, error.message); }`,
    );
    const { stdout, stderr } = spawnSync(process.execPath, [program, policy], { encoding: "utf8" });
    expect(stdout).toMatch(new RegExp(`^BootcError libselinux cannot ${fault}`));
    expect(stderr).toBe("");
  });

  test("a policy has to label the root", () => {
    const policy = writePolicy("one", { file_contexts: ["/etc etc_t"] });
    expect(() => openFileLabels(policy)).toThrow(/has no label for `\/`/);
  });
});
