// The webhook that turns pushes into builds: its address, a new secret, and a test.
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../src/errors.ts";
import { request } from "../remote/http.ts";
import { type PollPlan, pollUntil } from "../remote/retry.ts";
import {
  generateWebhookSecret,
  getGitSource,
  getProject,
  listBuilds,
  type WebhookSecret,
} from "./api.ts";
import type { Build } from "./build/build-state.ts";
import type { Connection } from "./connection.ts";
import { branchOf, type ProjectFile } from "./project/project-file.ts";

export interface Webhook {
  /** Contains the secret, so it must never be printed. */
  readonly url: string;
  /** The same with stars instead of the secret. */
  readonly shown: string;
}

/** The address that GitHub has to call. The server shows the secret only when it makes a new one. */
export function formatWebhook(
  copr: Connection,
  webhook: WebhookSecret,
  packageName: string,
): Webhook {
  const url = (secret: string) =>
    `${copr.url}/webhooks/github/${webhook.projectId}/${secret}/${encodeURIComponent(packageName)}/`;
  return { url: url(encodeURIComponent(webhook.secret)), shown: url("***") };
}

/** The address without the secret. */
export async function describeWebhook(copr: Connection, file: ProjectFile): Promise<string> {
  const project = await getProject(copr, file);
  if (project === undefined || typeof project.id !== "number") throw noProject(file);
  return formatWebhook(copr, { projectId: project.id, secret: "" }, file.package.name).shown;
}

/** Makes a new secret, after which the old address stops working. */
export async function rotateWebhook(copr: Connection, file: ProjectFile): Promise<Webhook> {
  const secret = await generateWebhookSecret(copr, file);
  return formatWebhook(copr, secret, file.package.name);
}

/** Writes the address to a file that only this user can read, and returns its path relative to `top`. */
export async function saveWebhook(top: string, webhook: Webhook): Promise<string> {
  const path = "target/copr-webhook-url";
  const temporary = join(top, `${path}.new`);
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(`${webhook.url}\n`);
    await file.chmod(0o600);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(top, path));
  return path;
}

export interface WaitForBuild extends PollPlan {
  /** The reported commit. A build of another commit proves nothing. */
  readonly sha: string;
}

/**
 * Waits for the build that `trigger` causes. The server answers 200 to every webhook, whether it builds or
 * not, so a new build is the only proof.
 */
export async function requireTriggeredBuild(
  copr: Connection,
  file: ProjectFile,
  wait: WaitForBuild & { readonly trigger: () => Promise<void> },
): Promise<Build> {
  const list = () => listBuilds(copr, { owner: file.owner, project: file.project, limit: 20 });
  const known = new Set((await list()).map(({ id }) => id));
  await wait.trigger();
  const found = await pollUntil(copr, wait, async () => {
    for (const build of (await list()).filter(({ id }) => !known.has(id))) {
      known.add(build.id);
      if ((await getGitSource(copr, build.id))?.committish === wait.sha) return build;
    }
    return undefined;
  });
  if (found === undefined) throw nothingBuilt(file);
  return found;
}

function nothingBuilt(file: ProjectFile): BootcError {
  const { subdirectory = "" } = file.package;
  const below = subdirectory === "" ? "" : ` below \`${subdirectory}\``;
  return new BootcError("the webhook was called, but no build appeared", {
    hint:
      `check that the push went to \`${branchOf(file.package)}\`, that it touched files${below}, ` +
      `that the package's clone URL is \`${file.package.cloneUrl}\`, and that the webhook carries ` +
      "the newest secret",
  });
}

function noProject(file: ProjectFile): BootcError {
  return new BootcError(`there is no project \`${file.owner}/${file.project}\``, {
    hint: "create it with: npm run xtask -- copr apply",
  });
}

/** The server expects a file in the package's subdirectory; the folder itself does not count. */
function touchedFile({ package: { subdirectory = "" } }: ProjectFile): string {
  return `${subdirectory === "" ? "." : subdirectory}/webhook-test`;
}

/** Calls the webhook as GitHub does after a push of `sha` to the package's branch. */
export async function postPush(
  copr: Connection,
  url: string,
  { file, sha }: { readonly file: ProjectFile; readonly sha: string },
): Promise<void> {
  const payload = JSON.stringify({
    ref: `refs/heads/${branchOf(file.package)}`,
    after: sha,
    commits: [{ id: sha, added: [], removed: [], modified: [touchedFile(file)] }],
    repository: { clone_url: file.package.cloneUrl },
  });
  const answer = await request(
    {
      method: "POST",
      url,
      headers: { "content-type": "application/json", "x-github-event": "push" },
      body: payload,
      isRepeatable: false,
    },
    copr,
  );
  if (answer.status === 200) return;
  if (answer.status === 403) {
    throw new BootcError("the server refuses the webhook's secret", {
      kind: "authentication",
      hint: "make a new one with: npm run xtask -- copr webhook --rotate",
    });
  }
  if (answer.status === 404) {
    throw new BootcError("the server does not know the project in the webhook's address", {
      hint:
        "create the project with: npm run xtask -- copr apply; " +
        "then get a new address with: npm run xtask -- copr webhook --rotate",
    });
  }
  const isTrouble = answer.status === 429 || answer.status >= 500;
  throw new BootcError(`the webhook answered ${answer.status}`, {
    kind: isTrouble ? "network" : "failed",
  });
}
