// `xtask release --publish`: makes a draft, uploads and verifies its assets, and only then publishes it.
// Every step first looks at what exists, so that a run after an interruption continues where the last one
// stopped.
import { join } from "node:path";
import { BootcError, kindOf, messageOf } from "../../src/errors.ts";
import type { Terminal } from "../../src/system/context.ts";
import { sha256Of } from "../archive/digest.ts";
import { byteProgress, formatBytes } from "../remote/byte-progress.ts";
import { openToSend } from "../remote/file-to-send.ts";
import { asksForPatience, request } from "../remote/http.ts";
import { tryRepeatedly } from "../remote/retry.ts";
import { ask, type GitHub } from "./github.ts";
import type { ReleaseFile } from "./manifest.ts";
import type { Agreed } from "./preconditions.ts";

export interface Publication {
  readonly agreed: Agreed;
  /** Absolute path of the folder with the files. */
  readonly folder: string;
  readonly files: readonly ReleaseFile[];
  readonly terminal: Terminal;
}

type Release = Awaited<ReturnType<GitHub["octokit"]["repos"]["getRelease"]>>["data"];
type Asset = Release["assets"][number] & { readonly digest?: string | null };

const UPLOAD_TRIES = 4;

/** Publishes the release and returns its address. With `isDryRun`, checks everything and changes nothing. */
export async function publish(
  github: GitHub,
  publication: Publication,
  { isDryRun }: { readonly isDryRun: boolean },
): Promise<string> {
  await requireTag(github, publication.agreed);
  const existing = await findRelease(github, publication.agreed.tag);
  if (existing !== undefined && !existing.draft)
    return await confirmPublished(github, publication, existing);
  if (isDryRun) return await describePlan(github, publication, existing);
  const draft = await putDraft(github, publication.agreed, existing);
  await putAssets(github, publication, draft);
  await verifyAssets(github, publication, draft.id);
  const release = await undraft(github, publication.agreed, draft.id);
  return release.html_url;
}

/**
 * Requires the tag on GitHub at this commit: publishing a draft without its tag would make the tag at the tip
 * of the default branch.
 */
async function requireTag({ octokit, repository }: GitHub, { tag, commit }: Agreed): Promise<void> {
  const found = await ask(`tag ${tag}`, async () => {
    const { data } = await octokit.git.listMatchingRefs({ ...repository, ref: `tags/${tag}` });
    const ref = data.find((it) => it.ref === `refs/tags/${tag}`);
    if (ref === undefined || ref.object.type !== "tag") return ref?.object.sha;
    // An annotated tag is a separate object, which names the commit.
    const annotated = await octokit.git.getTag({ ...repository, tag_sha: ref.object.sha });
    return annotated.data.object.sha;
  });
  if (found === commit) return;
  const where =
    found === undefined ? "is not on GitHub" : `is at \`${found.slice(0, 10)}\` on GitHub`;
  throw new BootcError(`the tag \`${tag}\` ${where}, not at \`${commit.slice(0, 10)}\``, {
    hint: `push it: git push origin ${tag}`,
  });
}

/** Drafts have no tag yet, so only the list contains them. */
async function findRelease(
  { octokit, repository }: GitHub,
  tag: string,
): Promise<Release | undefined> {
  const releases = await ask("the releases", () =>
    octokit.paginate(octokit.repos.listReleases, { ...repository, per_page: 100 }),
  );
  const named = releases.filter((it) => it.tag_name === tag);
  const published = named.find((it) => !it.draft);
  if (published !== undefined) return published;
  if (named.length <= 1) return named[0];
  throw new BootcError(`there are ${named.length} drafts for \`${tag}\``, {
    hint: "delete all but one of them on the releases page",
  });
}

/** A published release is never changed; if it differs, that is an error. */
async function confirmPublished(
  github: GitHub,
  publication: Publication,
  release: Release,
): Promise<string> {
  await verifyAssets(github, publication, release.id);
  github.note(`${publication.agreed.tag} is already published with exactly these files`);
  return release.html_url;
}

async function describePlan(
  github: GitHub,
  { agreed, files }: Publication,
  existing: Release | undefined,
): Promise<string> {
  const assets = existing === undefined ? [] : await listAssets(github, existing.id);
  github.note(
    existing === undefined
      ? `would create a draft of ${agreed.tag}`
      : "would use the existing draft",
  );
  for (const file of files) {
    const asset = assets.find((it) => it.name === file.name);
    const isThere = asset !== undefined && (await isSame(github, asset, file));
    const verb = isThere ? "exists" : asset === undefined ? "would upload" : "would replace";
    github.note(`${verb}: ${file.name}, ${formatBytes(file.sizeBytes)}, sha256:${file.sha256}`);
  }
  github.note(`would publish ${agreed.tag} with the notes:\n${agreed.notes}`);
  const { owner, repo } = github.repository;
  return `https://github.com/${owner}/${repo}/releases/tag/${agreed.tag}`;
}

async function putDraft(
  { octokit, repository, note }: GitHub,
  { tag, version, notes }: Agreed,
  existing: Release | undefined,
): Promise<Release> {
  const settings = {
    ...repository,
    tag_name: tag,
    name: `bootc ${version}`,
    body: notes,
    draft: true,
    prerelease: version.includes("-"),
  };
  return await ask(`the draft of ${tag}`, async () => {
    if (existing === undefined) {
      note(`creating a draft of ${tag}`);
      return (await octokit.repos.createRelease(settings)).data;
    }
    note(`continuing with the draft of ${tag}`);
    return (await octokit.repos.updateRelease({ ...settings, release_id: existing.id })).data;
  });
}

async function putAssets(github: GitHub, publication: Publication, draft: Release): Promise<void> {
  for (const file of publication.files) await putAsset(github, publication, { draft, file });
  const names = new Set(publication.files.map((file) => file.name));
  const strange = (await listAssets(github, draft.id)).filter((asset) => !names.has(asset.name));
  if (strange.length === 0) return;
  throw new BootcError(
    `the draft has assets that do not belong to it: ${strange.map((asset) => asset.name).join(", ")}`,
    { hint: "delete them on the releases page, then run the same command again" },
  );
}

interface AssetWork {
  readonly draft: Release;
  readonly file: ReleaseFile;
}

/** Uploads a file unless it exists. A failed try may have left a part of the file, or all of it. */
async function putAsset(github: GitHub, publication: Publication, work: AssetWork): Promise<void> {
  const plan = {
    triesMax: UPLOAD_TRIES,
    pauseMs: (failures: number) => 2000 * 2 ** failures,
    mayRetry: mayTryAgain,
    describe: (message: string) => `${work.file.name}: ${message}; trying again`,
  };
  await tryRepeatedly(github, plan, async () => {
    if (!(await hasAsset(github, work))) await upload(github, publication, work);
  });
}

/** Also if the name exists, which happens when an upload arrived and its answer was lost. */
function mayTryAgain(error: unknown): boolean {
  if (asksForPatience(error)) return false;
  return kindOf(error) === "network" || /already_exists/.test(messageOf(error));
}

/** Whether the right asset exists. Deletes one with the same name and other content. */
async function hasAsset(github: GitHub, { draft, file }: AssetWork): Promise<boolean> {
  const asset = (await listAssets(github, draft.id)).find((it) => it.name === file.name);
  if (asset === undefined) return false;
  if (await isSame(github, asset, file)) return true;
  github.note(`${file.name}: removing what an earlier upload left`);
  await ask(`asset ${file.name}`, () => deleteAsset(github, asset.id));
  return false;
}

/** A missing asset counts as deleted, because the answer to an earlier try may have been lost. */
async function deleteAsset({ octokit, repository }: GitHub, id: number): Promise<void> {
  try {
    await octokit.repos.deleteReleaseAsset({ ...repository, asset_id: id });
  } catch (error) {
    if (!(error instanceof Error && "status" in error && error.status === 404)) throw error;
  }
}

async function upload(
  github: GitHub,
  publication: Publication,
  { draft, file }: AssetWork,
): Promise<void> {
  const { show } = byteProgress(publication.terminal, github.note, `uploading ${file.name}`);
  const path = join(publication.folder, file.name);
  const type = contentTypeOf(file.name);
  const data = await openToSend({ path, type, onProgress: show });
  await ask(`asset ${file.name}`, () =>
    // The types of `uploadReleaseAsset` allow only text. The release names the address, on another host.
    github.octokit.request({
      method: "POST",
      url: draft.upload_url,
      name: file.name,
      headers: { "content-type": type },
      data,
    }),
  );
}

export function contentTypeOf(name: string): string {
  if (name.endsWith(".zst")) return "application/zstd";
  if (name.endsWith(".rpm")) return "application/x-rpm";
  if (name.endsWith(".json")) return "application/json";
  return "text/plain";
}

async function listAssets({ octokit, repository }: GitHub, id: number): Promise<readonly Asset[]> {
  return await ask("the assets of the release", () =>
    octokit.paginate(octokit.repos.listReleaseAssets, {
      ...repository,
      release_id: id,
      per_page: 100,
    }),
  );
}

/** Broken uploads leave an asset in the state `starter`. */
async function isSame(github: GitHub, asset: Asset, file: ReleaseFile): Promise<boolean> {
  if (asset.state !== "uploaded" || asset.size !== file.sizeBytes) return false;
  return (await digestOf(github, asset)) === file.sha256;
}

/** GitHub knows the digest of every asset. Older servers do not, so the asset is downloaded. */
async function digestOf(github: GitHub, asset: Asset): Promise<string> {
  const [algorithm, hex] = asset.digest?.split(":") ?? [];
  if (algorithm === "sha256" && hex !== undefined) return hex;
  github.note(`${asset.name}: GitHub does not know its digest; downloading it`);
  const headers = { accept: "application/octet-stream", authorization: github.authorization };
  const get = { method: "GET", isRepeatable: true, isLarge: true };
  const first = await request({ ...get, url: asset.url, headers }, github);
  // The content is on another host, which needs no token and must not get it.
  const location = first.headers.get("location");
  const answer = location === null ? first : await request({ ...get, url: location }, github);
  if (answer.status !== 200) {
    throw new BootcError(`asset ${asset.name}: the download answered ${answer.status}`, {
      kind: "network",
    });
  }
  return sha256Of(answer.body);
}

async function verifyAssets(github: GitHub, { files }: Publication, id: number): Promise<void> {
  const assets = await listAssets(github, id);
  const wrong: string[] = [];
  for (const file of files) {
    const asset = assets.find((it) => it.name === file.name);
    if (asset === undefined) wrong.push(`${file.name} is missing`);
    else if (!(await isSame(github, asset, file))) wrong.push(`${file.name} has different content`);
  }
  if (wrong.length === 0) return;
  throw new BootcError(`the release on GitHub is not what was built: ${wrong.join("; ")}`, {
    kind: "integrity",
    hint: "the same command repairs a draft; a published release is never changed, so make a new version",
  });
}

async function undraft(
  { octokit, repository, note }: GitHub,
  { tag, version }: Agreed,
  id: number,
): Promise<Release> {
  note(`publishing ${tag}`);
  const isCandidate = version.includes("-");
  return await ask(`publishing ${tag}`, async () => {
    const { data } = await octokit.repos.updateRelease({
      ...repository,
      release_id: id,
      draft: false,
      make_latest: isCandidate ? "false" : "true",
    });
    return data;
  });
}
