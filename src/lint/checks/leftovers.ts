// Checks of what a build leaves behind: caches of package managers, their backups, and secrets.
import { type Check, type Item, listing } from "../check.ts";
import { absolute } from "../formats/quote.ts";
import type { Entry, ImageTree } from "../tree.ts";

const CACHES: readonly RegExp[] = [
  /^var\/cache\/apt\/.*\.(deb|bin)$/,
  /^var\/lib\/apt\/lists\/[^/]+$/,
  /^var\/cache\/(dnf|libdnf5|yum|zypp|ldconfig|debconf)\/.+/,
  /^var\/cache\/pacman\/pkg\/.+/,
  /^var\/cache\/apk\/.+/,
  /^var\/lib\/pacman\/sync\/.+/,
  /^(root|var\/roothome)\/\.(cache|npm|cargo\/registry|bash_history|python_history|wget-hsts)(\/.+)?$/,
  /^usr\/sbin\/policy-rc\.d$/,
];

/** Where all of these are: one look instead of eight at the many files elsewhere. */
const CACHE_PLACES = /^(root|usr\/sbin|var)\//;

/** Debian's configuration database is state of packages, not a cache. */
const KEPT = /^var\/cache\/debconf\//;

export const packageLeftovers: Check = {
  name: "package-leftovers",
  severity: "note",
  description: "the image contains no caches or package lists of package managers",
  reason:
    "They make the image larger for everybody who pulls it, and change with every build, so that " +
    "a layer is never the same twice. Debian's `policy-rc.d` of builds keeps services from " +
    "starting.",
  fix:
    "`RUN apt-get clean && rm -rf /var/lib/apt/lists/*` or `dnf clean all` in the step that " +
    "installs, or mount a cache: `RUN --mount=type=cache,target=/var/cache/dnf …`. `--fix` " +
    "removes them.",
  look: ({ tree }) =>
    listing(
      "Found caches and lists of package managers",
      tree.entries
        .filter((it) => it.kind === "file" && CACHE_PLACES.test(it.path))
        .filter((it) => !/^var\/lib\/apt\/lists\/lock$/.test(it.path))
        .filter((it) => CACHES.some((pattern) => pattern.test(it.path)) && !KEPT.test(it.path))
        .map(({ path }) => ({ shown: absolute(path), path, repair: { kind: "remove" } })),
    ),
};

export const configBackups: Check = {
  name: "config-backups",
  severity: "note",
  description: "package managers left no second version of a configuration file in /etc",
  reason:
    "A package wanted to change a file that the build had changed, and wrote its own version " +
    "beside it: one of the two changes is not in effect.",
  fix: "Merge the two files, and remove the one that is left over.",
  look: ({ tree }) =>
    listing(
      "Found second versions of configuration files",
      tree
        .below("etc")
        .filter((it) => it.kind === "file")
        .filter((it) =>
          /\.(rpmnew|rpmsave|rpmorig|dpkg-(old|new|dist|tmp)|ucf-\w+|pacnew|pacsave)$/.test(
            it.path,
          ),
        )
        .map(({ path }) => ({ shown: absolute(path), path })),
    ),
};

export const packageDatabase: Check = {
  name: "package-database",
  severity: "note",
  description: "the database of packages is in /usr",
  reason:
    "A database in /var stays on a host as it was when the host was installed: after an update " +
    "it lists packages that are gone, and scanners report their vulnerabilities.",
  fix:
    "Move it below /usr and leave a link: `RUN mkdir -p /usr/lib/sysimage && mv /var/lib/dpkg " +
    "/usr/lib/sysimage/dpkg && ln -s /usr/lib/sysimage/dpkg /var/lib/dpkg`; tmpfiles.d makes the " +
    "link on hosts.",
  look: ({ tree }) =>
    listing(
      "Found a database of packages in /var",
      ["var/lib/dpkg", "var/lib/rpm", "var/lib/pacman"]
        .filter((it) => tree.at(it)?.kind === "directory")
        .filter((it) => tree.below(it).some(({ path }) => DATABASE.test(path)))
        .map((it) => ({ shown: absolute(it), path: it })),
    ),
};

const DATABASE =
  /^var\/lib\/(dpkg\/status|rpm\/(rpmdb\.sqlite|Packages(\.db)?)|pacman\/local\/[^/]+\/desc)$/;

/** The homes of users, with the names that ostree systems give them. */
const HOME = /^(root|var\/roothome|(var\/)?home\/[^/]+)(?=\/)/;

/** Files that hold credentials by their purpose. */
const SECRET_FILES: readonly RegExp[] = [
  /^HOME\/\.(netrc|git-credentials|pypirc|pgpass|vault-token)$/,
  /^HOME\/\.(aws\/credentials|docker\/config\.json|kube\/config)$/,
  /^HOME\/\.(config\/gh\/hosts\.yml|terraform\.d\/credentials\.tfrc\.json)$/,
  /^(run|tmp)\/secrets\/.+/,
  /^etc\/pki\/entitlement\/.+-key\.pem$/,
];

/** Where anything of these and of the keys below is looked for. */
const SECRET_PLACES = /^(etc|home|opt|root|run|srv|tmp|usr\/(etc|local)|var)\//;

/** Where private keys are looked for by what is inside. */
const KEY_PLACES =
  /^(etc|root|home|opt|srv|tmp|usr\/local|usr\/etc|var\/(home|roothome|opt|srv|tmp|www))\//;
const KEY_NAMES = /(^|\/)(id_\w+|[^/]*[._-]?key|[^/]+\.(key|pem|p8|ppk))$/;
/** Libraries bring keys for their own tests. */
const SAMPLE =
  /\/(tests?|testdata|certdata|fixtures|examples?|(site|dist)-packages|node_modules|registry)\//;
const KEY_BYTES_MAX = 64 << 10;

export const buildSecrets: Check = {
  name: "build-secrets",
  severity: "warning",
  description: "the image contains no private keys or credentials",
  reason:
    "Everybody who may pull the image has them, also when a later layer removes the file. A key " +
    "that every host shares proves nothing about a host.",
  fix:
    "`RUN --mount=type=secret,id=NAME …` shows a secret only to one step. What is in an image " +
    "that was pushed has to be replaced. Have hosts make their own keys at the first boot.",
  look: ({ tree }) => {
    const files = tree.entries.filter((it) => it.kind === "file" && SECRET_PLACES.test(it.path));
    return [
      ...listing("Found files with credentials", files.filter(isCredential).map(show)),
      ...listing("Found private keys", files.filter((it) => isPrivateKey(tree, it)).map(show)),
    ];
  },
};

function isCredential({ path, kind, sizeBytes }: Entry): boolean {
  if (kind !== "file" || sizeBytes === 0) return false;
  const place = path.replace(HOME, "HOME");
  return SECRET_FILES.some((it) => it.test(place));
}

/** Keys of ssh servers have a check of their own. */
function isPrivateKey(tree: ImageTree, entry: Entry): boolean {
  const { path, kind, sizeBytes } = entry;
  if (kind !== "file" || sizeBytes > KEY_BYTES_MAX || /^etc\/ssh\/ssh_host_/.test(path))
    return false;
  if (!KEY_PLACES.test(path) || !KEY_NAMES.test(path) || SAMPLE.test(path)) return false;
  if (isCredential(entry)) return false;
  return /^-----BEGIN ([A-Z]+ )*PRIVATE KEY-----|^PuTTY-User-Key-File/m.test(
    tree.readText(path) ?? "",
  );
}

function show({ path }: Entry): Item {
  return { shown: absolute(path), path };
}
