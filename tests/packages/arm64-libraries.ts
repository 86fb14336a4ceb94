// The system libraries that an arm64 executable needs, unpacked separately from the machine's own packages.
import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";

const PACKAGES = [
  ...["libc6", "libstdc++6", "libgcc-s1", "libatomic1", "gcc-12-base"],
  // The library that looks up labels, and its regular expressions.
  ...["libselinux1", "libpcre2-8-0"],
];

/** Why the libraries are not available here; undefined when they are. */
export function whyNoArm64Libraries(): string | undefined {
  if (existsSync(folder())) return undefined;
  const id = /^ID="?(\w+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  // Other distributions of the family keep arm64 on other servers than amd64.
  return id === "debian" ? undefined : `its libraries are fetched on Debian, this is ${id}`;
}

/** The folder for QEMU_LD_PREFIX; fetched once and kept. */
export function arm64Libraries(): string {
  const libraries = folder();
  if (existsSync(libraries)) return libraries;
  mkdirSync(join(libraries, ".."), { recursive: true });
  const work = mkdtempSync(`${libraries}-`);
  for (const it of ["state/lists/partial", "cache/archives/partial", "root"]) {
    mkdirSync(join(work, it), { recursive: true });
  }
  const options = [
    "APT::Architecture=arm64",
    "APT::Architectures=arm64",
    "APT::Sandbox::User=root",
    `Dir::State=${join(work, "state")}`,
    `Dir::State::status=/dev/null`,
    `Dir::Cache=${join(work, "cache")}`,
    "Acquire::Languages=none",
  ].flatMap((it) => ["-o", it]);
  const quiet: ExecFileSyncOptions = { cwd: work, stdio: ["ignore", "ignore", "inherit"] };
  execFileSync("apt-get", [...options, "--quiet", "update"], quiet);
  execFileSync("apt-get", [...options, "--quiet", "download", ...PACKAGES], quiet);
  for (const it of readdirSync(work).filter((name) => name.endsWith(".deb"))) {
    execFileSync("dpkg", ["--extract", join(work, it), join(work, "root")], quiet);
  }
  renameSync(join(work, "root"), libraries);
  return libraries;
}

function folder(): string {
  return join(process.env.BOOTC_TEST_CACHE ?? "/var/cache/bootc-tests", "arm64-libraries.2");
}
