//! Two verifiers, the library's and `verify.py`, say the same of exports that were damaged, forged and held against signed
//! heads that are kept elsewhere. What each is to say is written down here, so that both cannot be wrong together.

#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail"
)]

mod common;
#[path = "common/disk.rs"]
mod disk;

use std::{fs, path::Path, process::Command, sync::Arc};

use common::{calls, end, ledger};
use disk::{rehash, with};
use jiff::Timestamp;
use portcullis_ledger::{
    ExportEnd, Exporter, Format, Ledger, Query, Wanted,
    heads::{FileSigner, FileSink, HeadOptions, PublicKey, SignedHeads, Signer, covering},
    verify::{ExportOptions, Outside, verify_export},
};

const HOLDS: u8 = 0;
const DAMAGED: u8 = 7;
const UNSIGNED: u8 = 8;

/// A host that exported 20 records of `acme`, and went on; another workspace's export; and another host's key.
struct Case {
    folder: tempfile::TempDir,
    key: PublicKey,
    stranger: Arc<FileSigner>,
    /// Lines, each with its end: the header, 20 records, a signed head, the last line.
    acme: Vec<String>,
    other: Vec<String>,
    /// Records 17 to 20.
    part: Vec<String>,
    /// Records 1 to 10.
    early: Vec<String>,
}

async fn export(ledger: &Ledger, heads: &SignedHeads, workspace: &str, from: u64, to: u64) -> Vec<String> {
    heads.sign_now().await.unwrap();
    let wanted = Wanted::new(Query::new(workspace), Format::JsonLines).from(from).to(to);
    let exporter = Exporter::new(ledger.reader(), wanted, Timestamp::now()).await.unwrap();
    let (from, to) = exporter.range();
    let head = covering(ledger.store().as_ref(), workspace, from, to).await.unwrap();
    let (signer, newest) = heads.for_export().await;
    let mut exporter = exporter.heads(head).signed_by(signer, newest);
    let mut all = Vec::new();
    while let Some(piece) = exporter.next().await.unwrap() {
        all.extend(piece);
    }
    String::from_utf8(all).unwrap().split_inclusive('\n').map(str::to_owned).collect()
}

impl Case {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger().await;
        let signer = Arc::new(FileSigner::open_or_create(&folder.path().join("key.pem")).unwrap());
        let stranger = Arc::new(FileSigner::open_or_create(&folder.path().join("stranger.pem")).unwrap());
        let sink = Arc::new(FileSink::new(folder.path().join("heads.jsonl")));
        let interval = std::time::Duration::from_secs(3600);
        let options = HeadOptions { interval, sinks: vec![sink], ..HeadOptions::default() };
        let heads = SignedHeads::open(ledger.store().clone(), signer.clone(), options).await.unwrap();
        calls(&ledger, "acme", 5).await;
        heads.sign_now().await.unwrap();
        calls(&ledger, "acme", 3).await;
        calls(&ledger, "other", 3).await;
        let early = export(&ledger, &heads, "acme", 1, 10).await;
        calls(&ledger, "acme", 2).await;
        let acme = export(&ledger, &heads, "acme", 1, 20).await;
        assert_eq!(acme.len(), 23);
        let other = export(&ledger, &heads, "other", 1, 6).await;
        let part = export(&ledger, &heads, "acme", 17, 20).await;
        // The host goes on.
        calls(&ledger, "acme", 2).await;
        heads.sign_now().await.unwrap();
        assert!(heads.delivered(std::time::Duration::from_secs(60)).await);
        fs::write(folder.path().join("key.pub"), signer.public_key().to_pem()).unwrap();
        let one = fs::read_to_string(folder.path().join("heads.jsonl")).unwrap();
        fs::write(folder.path().join("first.jsonl"), one.split_inclusive('\n').next().unwrap()).unwrap();
        let key = signer.public_key();
        Self { folder, key, stranger, acme, other, part, early }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// With another header, and a last line that fits it and that nobody signed.
    fn header(&self, lines: &[String], from: u64, to: u64) -> Vec<String> {
        let mut header: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        header["export"]["from"] = from.into();
        header["export"]["to"] = to.into();
        let mut lines = lines.to_vec();
        lines[0] = header.to_string() + "\n";
        end(lines)
    }

    /// Hashed anew, with what was done before that.
    fn rehashed(&self, change: impl FnOnce(&mut Vec<String>)) -> Vec<String> {
        let mut records: Vec<String> = self.acme[1..21].iter().map(|line| line.trim_end().to_owned()).collect();
        change(&mut records);
        let mut lines = vec![self.acme[0].clone()];
        lines.extend(rehash("acme", &records).into_iter().map(|line| line + "\n"));
        let to = records.len() as u64;
        self.header(&lines, 1, to)
    }

    /// Signed by this key, at the end.
    async fn signed(&self, lines: &[String], signer: &FileSigner) -> Vec<String> {
        let mut lines = end(lines.to_vec());
        let last = ExportEnd::parse(lines.pop().unwrap().trim_end().as_bytes()).unwrap();
        let last = ExportEnd::signed(last.end.records, last.end.sha256, 99, signer).await.unwrap();
        lines.push(last.line() + "\n");
        lines
    }
}

/// What it is verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Nothing,
    Key,
    /// And the host's signed heads, all of them.
    Heads,
    /// And the first of them alone.
    First,
    /// And all of them, for the part up to record 10.
    To10,
    /// And all of them, for the part from record 17 on.
    From17,
}

const ALL: [With; 6] = [With::Nothing, With::Key, With::Heads, With::First, With::To10, With::From17];

impl With {
    fn heads(self) -> Option<&'static str> {
        match self {
            Self::Nothing | Self::Key => None,
            Self::Heads | Self::To10 | Self::From17 => Some("heads.jsonl"),
            Self::First => Some("first.jsonl"),
        }
    }

    fn library(self, case: &Case, bytes: &[u8]) -> u8 {
        let keys = if self == Self::Nothing { Vec::new() } else { vec![case.key] };
        let heads = self.heads().map(|name| fs::read(case.path(name)).unwrap());
        let mut lines = heads.as_deref();
        let options = ExportOptions {
            keys: &keys,
            outside: lines.iter_mut().map(|lines| Outside { place: "heads".to_owned(), lines }).collect(),
            from: (self == Self::From17).then_some(17),
            to: (self == Self::To10).then_some(10),
            progress: None,
        };
        let verdict = verify_export(bytes, options).unwrap();
        match (verdict.holds(), verdict.is_signed()) {
            (false, _) => DAMAGED,
            (true, false) => UNSIGNED,
            (true, true) => HOLDS,
        }
    }

    /// What verify.py is given.
    fn arguments(self, case: &Case, file: &Path) -> Vec<String> {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let mut arguments = vec![path(file)];
        if self != Self::Nothing {
            arguments.push(path(&case.path("key.pub")));
        }
        if let Some(heads) = self.heads() {
            arguments.extend(["--heads".to_owned(), path(&case.path(heads))]);
        }
        match self {
            Self::To10 => arguments.extend(["--to".to_owned(), "10".to_owned()]),
            Self::From17 => arguments.extend(["--from".to_owned(), "17".to_owned()]),
            _ => {}
        }
        arguments
    }
}

/// What verify.py says, each time that it is asked, in one process; none where there is no Python.
fn python(asked: &[Vec<String>]) -> Option<Vec<u8>> {
    const EACH: &str = "import contextlib, io, json, sys\n\
                        sys.path.insert(0, sys.argv[1])\n\
                        sys.dont_write_bytecode = True\n\
                        import verify\n\
                        codes = []\n\
                        for arguments in json.load(open(sys.argv[2])):\n    \
                            with contextlib.redirect_stdout(io.StringIO()):\n        \
                                codes.append(verify.main(arguments))\n\
                        print(json.dumps(codes))";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asked.json");
    fs::write(&file, serde_json::to_vec(asked).unwrap()).unwrap();
    let ran = Command::new("python3").args(["-c", EACH, env!("CARGO_MANIFEST_DIR")]).arg(&file).output();
    let Ok(ran) = ran else {
        eprintln!("there is no python3 here, so verify.py is not tried");
        return None;
    };
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some(serde_json::from_slice(&ran.stdout).unwrap())
}

/// What each of [`ALL`] says.
type Codes = [u8; 6];

#[tokio::test]
async fn both_verifiers_say_the_same_of_damaged_and_forged_exports() {
    let case = Case::new().await;
    let mut set: Vec<(&str, Codes, Vec<u8>)> = Vec::new();
    let mut add = |name, codes, lines: Vec<String>| set.push((name, codes, lines.concat().into_bytes()));
    let (acme, records) = (&case.acme, &case.acme[1..21]);
    const WRONG: Codes = [DAMAGED; 6];
    // What nobody signed at its end, but for the signed head in it: later signed heads are a reproach.
    const OLD: Codes = [UNSIGNED, HOLDS, DAMAGED, HOLDS, HOLDS, DAMAGED];

    add("genuine", [UNSIGNED, HOLDS, HOLDS, HOLDS, HOLDS, HOLDS], acme.clone());
    add("of a form before", OLD, {
        end(acme
            .iter()
            .map(|line| line.replace("\"v\":2,\"workspace\":\"acme\"}}", "\"v\":1,\"workspace\":\"acme\"}}"))
            .collect())
    });
    add("its signature removed", OLD, end(acme.clone()));
    add("a part", [UNSIGNED, HOLDS, DAMAGED, DAMAGED, DAMAGED, HOLDS], case.part.clone());
    add("an early one of a part", [UNSIGNED, HOLDS, DAMAGED, HOLDS, HOLDS, DAMAGED], case.early.clone());
    add(
        "two in a file",
        [UNSIGNED, HOLDS, DAMAGED, HOLDS, DAMAGED, DAMAGED],
        [case.early.clone(), case.other.clone()].concat(),
    );
    add("the same twice", [UNSIGNED, HOLDS, HOLDS, HOLDS, HOLDS, HOLDS], [acme.clone(), acme.clone()].concat());
    let mut moved = acme.clone();
    let head = moved.remove(21);
    moved.insert(1, head.clone());
    add("its signed head before the records", [UNSIGNED, HOLDS, DAMAGED, HOLDS, HOLDS, DAMAGED], end(moved));

    // Shortened.
    add("cut at the end", WRONG, acme[..15].to_vec());
    add("cut at the end, without its last line", WRONG, acme[..22].to_vec());
    add("cut at the end, with an end that fits", WRONG, end(acme[..15].to_vec()));
    let mut shortened = acme[..11].to_vec();
    add(
        "shortened to what a head signed",
        [UNSIGNED, UNSIGNED, DAMAGED, HOLDS, HOLDS, DAMAGED],
        case.header(&shortened, 1, 10),
    );
    shortened.push(head.clone());
    add("shortened, with the head that names more", WRONG, case.header(&shortened, 1, 10));
    let forged = case.signed(&case.header(&acme[..11], 1, 10), &case.stranger).await;
    add("shortened, and signed by a stranger", [UNSIGNED, DAMAGED, DAMAGED, DAMAGED, DAMAGED, DAMAGED], forged);
    let mut kept = case.header(&acme[..11], 1, 10);
    *kept.last_mut().unwrap() = acme[22].clone();
    add("shortened, with the signature of the whole", WRONG, kept);
    let mut start = case.part.clone();
    start[0] = case.header(&case.part, 15, 20)[0].clone();
    add("cut at the start, its header left", WRONG, end([&acme[..1], &acme[5..]].concat()));
    add("cut at the start, its header another", WRONG, end(start));
    let mut early = case.part.clone();
    let first = case.early[11].clone();
    early.retain(|line| !line.starts_with("{\"head\""));
    early.insert(5, first);
    add("a head of what is before it", WRONG, end(early));
    add("cut in the middle", WRONG, end([&acme[..8], &acme[12..]].concat()));

    // Edited, and hashed anew.
    let mut edited = acme.clone();
    edited[6] = with(&edited[6], "operation", "nothing") + "\n";
    add("edited", WRONG, edited.clone());
    add("edited, with an end that fits", WRONG, end(edited));
    let anew = case.rehashed(|all| all[5] = with(&all[5], "operation", "nothing"));
    add("hashed anew", [UNSIGNED, UNSIGNED, DAMAGED, DAMAGED, DAMAGED, DAMAGED], anew.clone());
    add(
        "hashed anew, by a stranger",
        [UNSIGNED, DAMAGED, DAMAGED, DAMAGED, DAMAGED, DAMAGED],
        case.signed(&anew, &case.stranger).await,
    );
    let mut kept = anew.clone();
    kept.insert(21, head.clone());
    add("hashed anew, with the genuine head", WRONG, end(kept));
    let shorter = case.rehashed(|all| all.truncate(12));
    let mut kept = shorter.clone();
    kept.insert(13, head.clone());
    add("hashed anew and shortened", [UNSIGNED, UNSIGNED, DAMAGED, DAMAGED, DAMAGED, DAMAGED], {
        case.rehashed(|all| {
            all[3] = with(&all[3], "operation", "nothing");
            all.truncate(12);
        })
    });
    add("hashed anew and shortened, with the genuine head", WRONG, end(kept));
    add("hashed anew, of a longer chain", [UNSIGNED, UNSIGNED, DAMAGED, HOLDS, HOLDS, DAMAGED], {
        case.rehashed(|all| all.push(with(&all[19], "operation", "more")))
    });

    // Heads.
    let other_head = case.other.iter().find(|line| line.starts_with("{\"head\"")).unwrap().clone();
    let put = |line: String| {
        let mut lines = acme.clone();
        lines[21] = line;
        end(lines)
    };
    add("a head without its signature", WRONG, put(head.replace("\"signature\":\"", "\"signature\":\"A")));
    let changed = put(head.replacen("\"seq\":20", "\"seq\":19", 1));
    add("a head that was changed", WRONG, changed);
    add("a head of another workspace", WRONG, put(other_head.replace("\"acme\"", "\"acne\"")));
    add("a head with one more member", WRONG, put(head.replace("\"v\":", "\"u\":0,\"v\":")));
    add("a head of a newer form", WRONG, put(head.replace("\"v\":1", "\"v\":200").replace("\"v\":2}", "\"v\":200}")));
    add("a head twice", WRONG, put(head.clone() + &head));
    let folder = tempfile::tempdir().unwrap();
    let stranger = FileSigner::open_or_create(&folder.path().join("key.pem")).unwrap();
    let mut body = portcullis_ledger::heads::SignedHead::parse(head.trim_end().as_bytes()).unwrap();
    body.head.key = stranger.public_key().id();
    body.signature = stranger.sign(&body.head.bytes().unwrap()).await.unwrap();
    add("a head of another key", [UNSIGNED, DAMAGED, DAMAGED, DAMAGED, DAMAGED, DAMAGED], put(body.line() + "\n"));

    // Moved and brought in.
    let mut swapped = acme.clone();
    swapped.swap(4, 9);
    add("in another order", WRONG, end(swapped));
    let mut twice = acme.clone();
    twice.insert(5, acme[4].clone());
    add("a record twice", WRONG, end(twice));
    let mut foreign = acme.clone();
    foreign[3] = case.other[3].clone();
    add("a record of another workspace", WRONG, end(foreign));
    add(
        "of another workspace by its header",
        WRONG,
        end(acme
            .iter()
            .map(|line| {
                line.replace("\"to\":20,\"v\":2,\"workspace\":\"acme\"", "\"to\":20,\"v\":2,\"workspace\":\"other\"")
            })
            .collect()),
    );

    // Written otherwise: the last record, which no other one vouches for, in a file that nobody signed.
    let last = |change: &dyn Fn(&str) -> String| {
        let mut lines: Vec<String> = acme[..21].to_vec();
        lines[20] = change(&lines[20]);
        end(lines)
    };
    let loose: Codes = [UNSIGNED, UNSIGNED, DAMAGED, HOLDS, DAMAGED, DAMAGED];
    add("its last record another, which nobody signed", loose, last(&|line| with(line, "operation", "more") + "\n"));
    add("an unknown member in a record", loose, last(&|line| with(line, "adapterish", "more") + "\n"));
    add("white space", WRONG, last(&|line| line.replace("\"kind\":", "\"kind\": ")));
    add("a name twice", WRONG, last(&|line| line.replace("\"kind\":", "\"kind\":\"intent\",\"kind\":")));
    add("names in another order", WRONG, last(&|line| line.replacen("{\"adapter\"", "{\"zadapter\"", 1)));
    add("a needless escape", WRONG, last(&|line| line.replace("send-email", "send\\u002demail")));
    add("an escape of a slash", WRONG, last(&|line| line.replace("https://", "https:\\/\\/")));
    add("a lone surrogate", WRONG, last(&|line| line.replace("send-email", "send\\ud800email")));
    add("a raw control character", WRONG, last(&|line| line.replace("send-email", "send\u{1}email")));
    add("a number as 1e3", WRONG, last(&|line| line.replace("\"attempt\":1", "\"attempt\":1e3")));
    add("a number as 1.0", WRONG, last(&|line| line.replace("\"attempt\":1", "\"attempt\":1.0")));
    add("a number as -0", WRONG, last(&|line| line.replace("\"attempt\":1", "\"attempt\":-0")));
    add("a number of 2^53", WRONG, last(&|line| line.replace("\"attempt\":1", "\"attempt\":9007199254740992")));
    add("NaN", WRONG, last(&|line| line.replace("\"attempt\":1", "\"attempt\":NaN")));
    add("a number as 20.0 for its place", WRONG, last(&|line| line.replace("\"seq\":20", "\"seq\":20.0")));
    add(
        "deep",
        WRONG,
        last(&|line| line.replace("\"attempt\":1", &format!("\"attempt\":{}{}", "[".repeat(5000), "]".repeat(5000)))),
    );
    add("no object", WRONG, last(&|_| "[]\n".to_owned()));
    add("an empty object", WRONG, last(&|_| "{}\n".to_owned()));
    add("an empty line", WRONG, last(&|line| line.to_owned() + "\n"));
    add("a newer record", WRONG, last(&|line| with(line, "v", 2) + "\n"));
    add("a time that is none", WRONG, last(&|line| with(line, "time", "2026-13-40T00:00:00Z") + "\n"));
    add("a time elsewhere", WRONG, last(&|line| with(line, "time", "2036-11-21T16:00:00+01:00") + "\n"));
    add("a time with a zero too many", WRONG, last(&|line| with(line, "time", "2036-11-21T16:00:00.10Z") + "\n"));
    add("a time before", WRONG, last(&|line| with(line, "time", "2006-11-21T16:00:00Z") + "\n"));

    // The file.
    add("with line ends of two characters", WRONG, end(acme.iter().map(|line| line.replace('\n', "\r\n")).collect()));
    add("a mark of its bytes' order", WRONG, end([vec![format!("\u{feff}{}", acme[0])], acme[1..].to_vec()].concat()));
    add("an empty file", WRONG, Vec::new());
    add("an empty line before it", WRONG, [vec!["\n".to_owned()], acme.clone()].concat());
    add("an empty line after it", WRONG, [acme.clone(), vec!["\n".to_owned()]].concat());
    add("something after it", WRONG, [acme.clone(), vec!["more".to_owned()]].concat());
    add("records alone", WRONG, records.to_vec());
    add(
        "a header of a newer form",
        WRONG,
        end(acme.iter().map(|line| line.replace("\"v\":2,\"workspace\"", "\"v\":3,\"workspace\"")).collect()),
    );
    add(
        "a header with one more member",
        WRONG,
        end(acme.iter().map(|line| line.replace("\"to\":20,", "\"to\":20,\"u\":1,")).collect()),
    );
    add(
        "a header without a range",
        WRONG,
        end(acme.iter().map(|line| line.replace("\"to\":20,", "\"to\":0,")).collect()),
    );
    add("a last line with one more member", WRONG, {
        let mut lines = acme.clone();
        lines[22] = lines[22].replace("\"records\"", "\"more\":1,\"records\"");
        lines
    });
    add("a last line with half a signature", WRONG, {
        let mut lines = acme.clone();
        lines[22] = lines[22].split(",\"signature\"").next().unwrap().to_owned() + "}\n";
        lines
    });
    add(
        "a last line before the records end",
        WRONG,
        [acme[..20].to_vec(), acme[22..].to_vec(), acme[20..].to_vec()].concat(),
    );
    let bytes = acme.concat().into_bytes();
    let mut not_text = bytes.clone();
    let at = bytes.windows(10).position(|window| window == b"send-email").unwrap();
    not_text[at] = 0xff;
    set.push(("not UTF-8", WRONG, not_text));
    set.push(("half a line", WRONG, bytes[..bytes.len() - 30].to_vec()));
    set.push(("without its last line feed", WRONG, bytes[..bytes.len() - 1].to_vec()));

    let mut asked = Vec::new();
    let mut told = Vec::new();
    let mut seen = [0; 9];
    for (number, (name, codes, bytes)) in set.iter().enumerate() {
        let file = case.path(&format!("{number}.jsonl"));
        fs::write(&file, bytes).unwrap();
        for (with, code) in ALL.into_iter().zip(codes) {
            let library = with.library(&case, bytes);
            seen[usize::from(library)] += 1;
            asked.push(with.arguments(&case, &file));
            told.push((*name, with, *code, library));
        }
    }
    let python = python(&asked);
    let mut wrong = Vec::new();
    for (at, (name, with, code, library)) in told.iter().enumerate() {
        let python = python.as_ref().map(|codes| codes[at]);
        if library != code || python.is_some_and(|python| python != *code) {
            wrong.push(format!("{name}, with {with:?}: is {code}, library {library}, verify.py {python:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen[0] > 20 && seen[7] > 200 && seen[8] > 10, "{seen:?}");
}

/// Neither verifier holds a head in a file against a record that is further back than hashes are remembered (`REMEMBERED` of both,
/// a million); here verify.py remembers a few.
#[tokio::test]
async fn a_head_in_a_file_says_nothing_of_records_that_nobody_remembers() {
    const ONE: &str = "import contextlib, io, sys\n\
                       sys.path.insert(0, sys.argv[1])\n\
                       sys.dont_write_bytecode = True\n\
                       import verify\n\
                       verify.REMEMBERED = int(sys.argv[2])\n\
                       with contextlib.redirect_stdout(io.StringIO()):\n    \
                           code = verify.main(sys.argv[3:])\n\
                       print(code)";
    let case = Case::new().await;
    // The genuine head of record 10, in 20 records that were hashed anew.
    let mut anew = case.rehashed(|all| all[5] = with(&all[5], "operation", "nothing"));
    anew.insert(21, case.early[11].clone());
    let file = case.path("far-back.jsonl");
    let bytes = end(anew).concat().into_bytes();
    fs::write(&file, &bytes).unwrap();
    assert_eq!(With::Key.library(&case, &bytes), DAMAGED);
    for (remembered, code) in [(1 << 20, DAMAGED), (11, DAMAGED), (10, UNSIGNED), (1, UNSIGNED)] {
        let mut command = Command::new("python3");
        command.args(["-c", ONE, env!("CARGO_MANIFEST_DIR"), &remembered.to_string()]);
        let Ok(ran) = command.args([&file, &case.path("key.pub")]).output() else { return };
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(String::from_utf8(ran.stdout).unwrap().trim(), code.to_string(), "{remembered}");
    }
}
