import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { createContext } from "../system/run.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { listHealthScripts, runHealthScript } from "./health-script.ts";

test("a check can be masked, and what others leave behind is not a check", async () => {
  const root = mkdtempSync(join(tmpdir(), "bootc-checks-"));
  try {
    const [image, own] = ["usr/lib/bootc", "etc/bootc"].map((it) => {
      const dir = join(root, it, "health.d/required.d");
      mkdirSync(dir, { recursive: true });
      return dir;
    }) as [string, string];
    for (const name of ["10-a", "20-b", "20-b~", "30-c.rpmsave", ".hidden"]) {
      writeFileSync(join(image, name), "");
    }
    symlinkSync("/dev/null", join(own, "10-a"));
    const { ctx } = scriptedContext(root, []);
    expect(await listHealthScripts(ctx, "required")).toEqual([join(image, "20-b")]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

const SCRIPTS: readonly { command: string; want: string; limitMs?: number }[] = [
  { command: "exit 3", want: "ended with status 3" },
  { command: "exit 124", want: "ended with status 124" },
  { command: "exit 126", want: "ended with status 126" },
  { command: "exit 127", want: "ended with status 127" },
  { command: "exit 137", want: "ended with status 137" },
  { command: "kill -KILL $$", want: "ended by SIGKILL" },
  { command: "timeout 9 /nowhere/program; exit 3", want: "ended with status 3" },
  { command: "kill -TERM $$", want: "ended by SIGTERM" },
  { command: "sleep 60", want: "did not end within 1 s", limitMs: 1000 },
];

test.each(SCRIPTS)("`$command` $want", async ({ command, want, limitMs = 30_000 }) => {
  await withScript(`#!/bin/sh\n${command}\n`, 0o755, async (path) => {
    const failure = await runHealthScript(createContext(), path, limitMs);
    expect(failure?.reason).toBe(`\`${path}\` ${want}`);
  });
});

test("what a check has printed is in the details alone, however it ended", async () => {
  await withScript("#!/bin/sh\necho disk >&2\nkill -KILL $$\n", 0o755, async (path) => {
    expect(await runHealthScript(createContext(), path, 30_000)).toEqual({
      reason: `\`${path}\` ended by SIGKILL`,
      details: ["disk"],
    });
  });
});

test.each([
  ["without the right to run it", "#!/bin/sh\n", 0o644],
  ["of an interpreter that is missing", "#!/nowhere/sh\n", 0o755],
])("a check %s cannot be run", async (_, text, mode) => {
  await withScript(text, mode, async (path) => {
    const failure = await runHealthScript(createContext(), path, 10_000);
    expect(failure?.reason).toBe(`\`${path}\` cannot be run`);
  });
});

test("whether a check can be run does not depend on the language of timeout(1)", async () => {
  const german = `#!/bin/sh\necho "timeout: Befehl »$3« konnte nicht ausgeführt werden" >&2\nexit 126\n`;
  await withScript("", 0o755, async (path) => {
    writeFileSync(join(dirname(path), "timeout"), german, { mode: 0o755 });
    const ctx = createContext({ env: { PATH: `${dirname(path)}:/usr/bin:/bin` } });
    expect((await runHealthScript(ctx, path, 10_000))?.reason).toBe(`\`${path}\` cannot be run`);
  });
});

async function withScript(
  text: string,
  mode: number,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "bootc-check-"));
  try {
    const path = join(dir, "10-shop");
    writeFileSync(path, text, { mode });
    await use(path);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
