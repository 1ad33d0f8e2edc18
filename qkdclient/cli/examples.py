"""The examples of the reference page. A test runs them in this order, in a folder of its own, on the platform."""

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "A first file",
        """\
echo "figures of the year" > report.txt
qkdclient upload report.txt --type report --attribute version=1.10 --attribute pages:=12
qkdclient list --type report
""",
    ),
    (
        "Back again, and compared",
        """\
id=$(qkdclient list --type report --limit 1 | cut -d' ' -f1)
qkdclient download "$id" -o copy.txt
qkdclient download "$id" -o - | sha256sum
qkdclient files digest "$id"
""",
    ),
    (
        "Encrypted here; the platform never sees the content",
        """\
id=$(qkdclient upload --local report.txt --name private.txt | cut -d' ' -f1)
qkdclient download --local "$id"
""",
    ),
    (
        "A passphrase as an additional factor",
        """\
export QKD_PASSPHRASE="correct horse battery staple"
id=$(qkdclient upload report.txt --passphrase | cut -d' ' -f1)
qkdclient download "$id" --passphrase -o with-passphrase.txt
unset QKD_PASSPHRASE
""",
    ),
    (
        "From a pipe, and the next version of it",
        """\
id=$(tar -c report.txt | qkdclient upload - --name report.tar | cut -d' ' -f1)
tar -c report.txt copy.txt | qkdclient upload - --name report.tar --replaces "$id"
qkdclient files versions "$id"
""",
    ),
    (
        "Several at once; deleted, and brought back",
        """\
qkdclient upload report.txt copy.txt --type pair --jobs 2
ids=$(qkdclient list --type pair | cut -d' ' -f1)
qkdclient delete $ids
qkdclient files restore $ids
""",
    ),
    (
        "A folder up, and down again: only what changed",
        """\
mkdir -p papers/2024 papers/2025
cp report.txt papers/2024/ && cp copy.txt papers/2025/
qkdclient sync up papers --exclude '*.tmp'
echo "corrected" >> papers/2024/report.txt
qkdclient sync up papers
qkdclient sync down papers again
diff -r papers again
""",
    ),
    (
        "Messages",
        """\
echo "attack at dawn" | qkdclient messages encrypt --context letter-7 > package.json
qkdclient messages decrypt package.json --context letter-7
qkdclient messages encrypt-many report.txt copy.txt --pair case=7 > packages.jsonl
qkdclient messages decrypt-many packages.jsonl --pair case=7
""",
    ),
    (
        "A data key, and the same one again",
        """\
qkdclient data-keys generate --context backup > data-key.json
qkdclient data-keys open data-key.json --context backup
""",
    ),
    (
        "Sessions, keys, jobs, and who did what",
        """\
qkdclient whoami
qkdclient sessions generate --key-length 256 --error-rate 0.02 --json
qkdclient sessions stock
qkdclient keys list --limit 3
job=$(qkdclient sessions generate-many --count 2 --json | sed 's/.*"job_id": "\\([^"]*\\)".*/\\1/')
qkdclient jobs wait "$job"
qkdclient audit list --limit 5
""",
    ),
    (
        "Shared with a group, until a day",
        """\
group=$(qkdclient groups create --name readers --json | sed 's/.*"principal_id": "\\([^"]*\\)".*/\\1/')
id=$(qkdclient list --type report --limit 1 | cut -d' ' -f1)
qkdclient files share "$id" --grantee "$group" --until 2099-01-01T00:00:00Z
qkdclient files list-grants "$id"
qkdclient files unshare "$id" "$group"
""",
    ),
    (
        "Changed only as it was read",
        """\
id=$(qkdclient list --type report --limit 1 | cut -d' ' -f1)
etag=$(qkdclient files get "$id" --json | sed 's/.*"etag": "\\([^"]*\\)".*/\\1/')
qkdclient files update "$id" --name figures.txt --attributes '{"year": 2026}' --if-match "$etag"
""",
    ),
    (
        "Links, services, and whatever else the API can do",
        """\
qkdclient links create --link-id lab --name Laboratory --users '*' --qber-threshold 0.09
qkdclient links change lab --unset qber_threshold --reason "as everywhere"
qkdclient links list
qkdclient services create --name backup --role client
qkdclient api list-webhooks
qkdclient api get-link lab
""",
    ),
)
