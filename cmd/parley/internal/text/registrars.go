package text

import "maps"

func init() {
	maps.Copy(chinese, chineseRegistrars)
	maps.Copy(chineseFaults, registrarFaults)
}

// chineseRegistrars is what chinese is, for the commands that an organisation uses:
// registrars, certificates, the audit log.
var chineseRegistrars = map[string]string{
	// The CA.
	"issue certificates by which registrars admit nodes, and revoke them": "签发供登记节点接纳节点的证书，并吊销证书",
	"it needs a command: init, issue, revoke or list":                     "需要子命令：init、issue、revoke 或 list",
	"make a CA in DIR/ca": "在 DIR/ca 中建立 CA",
	"make a CA in DIR/ca: its certificate ca.crt and its list of revoked certificates crl.pem are for the registrars; its key ca.key, which is not encrypted, is for nobody else: whoever has it can let anybody in.": "在 DIR/ca 中建立 CA：其证书 ca.crt 和吊销列表 crl.pem 交给登记节点；其密钥 ca.key 未加密，不得交给任何人：拥有它的人可以让任何人加入。",
	"it is 1 to 64 characters that can be seen":                                "它须为 1 到 64 个可见字符",
	"`KIND` of key: ed25519, p256, p384, sm2":                                  "密钥的 `KIND`（种类）：ed25519、p256、p384、sm2",
	"`NAME` that the CA's certificate says":                                    "CA 证书上的名称 `NAME`",
	"`N` days until the CA's certificate ends, and all that it issued with it": "CA 证书及其签发的所有证书在 `N` 天后到期",
	"it is ed25519, p256, p384 or sm2":                                         "它是 ed25519、p256、p384 或 sm2",
	"there is a CA in %s already":                                              "%s 中已有 CA",
	"use it, or choose another --dir":                                          "请使用它，或换一个 --dir",
	"made a CA in %s, valid until %s":                                          "已在 %s 中建立 CA，有效期至 %s",
	"ca.crt and crl.pem are for the registrars. Keep ca.key, and a backup of it: whoever has it can let anybody in.": "ca.crt 和 crl.pem 交给登记节点。请保管好 ca.key 及其备份：拥有它的人可以让任何人加入。",
	"it is 1 to %d": "它是 1 到 %d",
	"another parley ca works on %s, or was interrupted":              "另一个 parley ca 正在使用 %s，或曾被中断",
	"repeat it; if none runs, remove %s":                             "请重试；若没有其他命令在运行，请删除 %s",
	"there is no CA in %s":                                           "%s 中没有 CA",
	"make one with: %s":                                              "用以下命令建立：%s",
	"the CA in %s is damaged: %s":                                    "%s 中的 CA 已损坏：%s",
	"restore it from a backup, or make another one in a fresh --dir": "请从备份恢复，或在新的 --dir 中另建一个",
	"issue a certificate for a node":                                 "为节点签发证书",
	"issue a certificate for the node with that peer ID (parley id prints it) and a new key, not encrypted, as PREFIX.crt and PREFIX.key. With --csr the key stays where it is: the request is made there, and only PREFIX.crt is written.": "为具有该节点 ID（parley id 会打印）的节点签发证书并生成未加密的新密钥，写入 PREFIX.crt 和 PREFIX.key。使用 --csr 时密钥留在原处：请求在那里生成，只写入 PREFIX.crt。",
	"it is not a peer ID":   "它不是节点 ID",
	"it needs --out PREFIX": "需要 --out PREFIX",
	"write `PREFIX`.crt and PREFIX.key, readable by you alone":                   "写入仅您可读的 `PREFIX`.crt 和 PREFIX.key",
	"`FILE` with a certificate request in PEM, whose key the certificate is for": "PEM 格式的证书请求文件 `FILE`，证书用于其密钥",
	"`N` days until the certificate ends":                                        "证书在 `N` 天后到期",
	"%s is there already":                                                        "%s 已存在",
	"remove it or choose another --out":                                          "请删除它或换一个 --out",
	"issued %s for %s, valid until %s":                                           "已签发 %s，用于 %s，有效期至 %s",
	"take back a certificate that was issued":                                    "吊销已签发的证书",
	"take back a certificate that was issued, for good: DIR/ca/crl.pem is written anew. Registrars refuse the certificate once they were started with that file.": "永久吊销已签发的证书：重新写入 DIR/ca/crl.pem。登记节点用该文件启动后即拒绝此证书。",
	"revoked the certificate %s of %s":                                                 "已吊销证书 %s（节点 %s）",
	"hand %s to the registrars and start them again":                                   "请将 %s 交给登记节点并重新启动它们",
	"%q is neither a file nor the serial number of a certificate that was issued here": "%q 既不是文件，也不是此处签发的证书的序列号",
	"this CA did not issue %s":                                                         "%s 不是由此 CA 签发的",
	"%s tells those that were":                                                         "用 %s 查看已签发的证书",
	"list the certificates that were issued":                                           "列出已签发的证书",
	"no certificates yet; issue one with: %s":                                          "还没有证书；用以下命令签发：%s",
	"SERIAL NUMBER": "序列号",
	"UNTIL":         "有效期至",
	"REVOKED":       "吊销于",

	// The audit log.
	"read, verify and prove what a registrar's audit log says": "读取、验证和证明登记节点审计日志的内容",

	"it needs a command: tail, verify or prove": "需要子命令：tail、verify 或 prove",

	"print the proof that a record is in the audit log": "打印某条记录在审计日志中的证明",

	"print the proof, as JSON, that the record with this number is in the audit log. Whoever has it and knows the registrar's peer ID can check it without the log: parley audit verify --proof.": "以 JSON 打印此编号的记录在审计日志中的证明。持有它并知道登记节点 ID 的人无需日志即可核对：parley audit verify --proof。",

	"it is not the number of a record": "它不是记录编号",

	"wrote the proof of record %d to %s": "已将记录 %d 的证明写入 %s",

	"check that nothing in the audit log was changed, or check a proof": "检查审计日志未被改动，或检查一份证明",

	"read the whole audit log and check each record, the tree over them and every signature, without a running node or beside one. What was changed, taken out, put in or moved is named. With --proof the proof of one record is checked; the log is not needed then.": "读取整个审计日志，检查每条记录、其上的哈希树和每个签名；无需运行节点，也可在其运行时进行。被更改、取走、插入或移动的内容会被指明。用 --proof 则检查一条记录的证明，此时不需要日志。",

	"the `PEERID` of a registrar whose signature counts; the directory's own always does": "其签名有效的登记节点的 `PEERID`；该目录自身的始终有效",

	"check the proof in `FILE`, not the log": "检查 `FILE` 中的证明，而不是日志",

	"nobody is named whose signatures count, and %s has no identity": "没有指明谁的签名有效，且 %s 中没有身份",

	"name the registrar with --key PEERID": "用 --key PEERID 指明登记节点",

	"nothing is wrong with the audit log of %s: %d records, %d checkpoints; the newest covers %d records": "%s 的审计日志没有问题：%d 条记录，%d 个检查点；最新的检查点涵盖 %d 条记录",

	"no other registrar that you named has cosigned it: name some with --key": "您指明的其他登记节点均未联署：可用 --key 指明",

	"cosigned by %s, up to %d records": "由 %s 联署，涵盖 %d 条记录",

	"record %d is in the audit log of %s, as it was with %d records:": "记录 %d 在 %s 的审计日志中（当时共 %d 条记录）：",

	"print the newest records of the audit log, one a line": "打印审计日志的最新记录，每行一条",

	"print the newest records of the audit log, one a line and oldest first, each with its number; with --json as they are in the log. It reads the files, also while the registrar runs, and checks only that each record is whole: verify checks all.": "打印审计日志的最新记录，每行一条，由旧到新，并带编号；加 --json 则按日志中的原样打印。它直接读取文件，登记节点运行时也可以，并且只检查每条记录是否完整：verify 检查一切。",

	"go on with what comes, until interrupted": "继续打印新到的内容，直到被中断",

	"at most `N` records; 0 is all": "最多 `N` 条记录；0 表示全部",

	"from %s": "来自 %s",

	"%s was given a ticket": "%s 获得了票据",

	"%s was let in": "%s 获准进入",

	"%s was refused": "%s 被拒绝",

	"%s revoked %s": "%s 吊销了 %s",

	"message %s of %d bytes was handed on": "转发了消息 %s（%d 字节）",

	"messages of %d bytes in all were handed on": "转发了若干消息（共 %d 字节）",

	"the audit log of %s has forked: with that registrar this one does not agree on what was recorded, and keeps both signed checkpoints in %s": "%s 的审计日志已分叉：本登记节点与其对记录内容的看法不一致，并在 %s 中保存了两个已签名的检查点",

	"%s changed a setting": "%s 更改了设置",

	"somebody": "某人",

	// Registrars.
	"`FILE` with a one-time enrolment code, - for standard input":                 "一次性登记码所在的 `FILE`；- 表示标准输入",
	"`FILE` with this node's certificate and those between it and the CA, in PEM": "PEM 格式的 `FILE`，含本节点的证书及其与 CA 之间的证书",
	"serve registration on `ADDR`":                                                "在 `ADDR` 上提供登记服务",
	"make one-time codes by which nodes register":                                 "生成供节点登记的一次性登记码",
	"make a node a registrar of the network; needs the network's root key":        "将节点设为网络的登记节点；需要网络的根密钥",
	"how long they are good, `D`, such as 48h":                                    "有效时长 `D`，例如 48h",
	"run a node that admits others to its certified network":                      "运行登记节点，准许其他节点加入其认证网络",
	"--registrar ADDR is missing":                                                 "缺少 --registrar ADDR",
	"registered until %s; it is renewed by itself while the node runs":            "登记有效至 %s；节点运行期间会自动续期",
	"print new one-time enrolment codes, a line each; they are kept nowhere":      "打印新的一次性登记码，每行一个；不会保存在任何地方",
	"it is a whole peer ID, as parley id prints it":                               "须为完整的节点 ID，即 parley id 打印的内容",
	"how many, `N`": "数量 `N`",
	"SHA-256 of the registrar's certificate in `HEX`, if no invite has it":                "登记节点证书的 SHA-256，十六进制 `HEX`（若邀请中没有）",
	"`FILE` with the certificate's private key, in PEM":                                   "PEM 格式的 `FILE`，含证书的私钥",
	"it is 64 hex digits, as parley registrar prints them":                                "须为 64 位十六进制数字，即 parley registrar 打印的内容",
	"`ADDR` of the registrar: HOST:PORT, or a multiaddr with its peer ID":                 "登记节点的 `ADDR`：HOST:PORT，或带其节点 ID 的 multiaddr",
	"it needs a command: add, remove, end or list":                                        "需要子命令：add、remove、end 或 list",
	"say which nodes admit others to the network":                                         "指定哪些节点可以准许他人加入网络",
	"`FILE` with certificates of CAs that admit, and their CRLs, in PEM; may be repeated": "PEM 格式的 `FILE`，含可据以准入的 CA 证书及其 CRL；可重复",
	"it needs a command: new":                                                             "需要子命令：new",
	"certified: whom a registrar has admitted is in it":                                   "认证：经登记节点准许者在其中",
	"`FILE` with the certificate for TLS, in PEM (default: one made by itself)":           "PEM 格式的 `FILE`，含 TLS 证书（默认：自行生成）",
	"have a registrar admit this node to a certified network":                             "请登记节点准许本节点加入认证网络",
	"the network has no registrars":                                                       "网络没有登记节点",
	"this machine's clock differs by %s from the registrar's: set it":                     "本机时钟与登记节点相差 %s：请校准",
	"make a node a registrar no more: tickets that it signed count no longer":             "不再让节点担任登记节点：它签发的票据不再有效",
	"members are admitted by registrars, with certificates or one-time codes":             "成员由登记节点凭证书或一次性登记码准入",
	"it takes --cert and --key, or --code-file":                                           "需要 --cert 和 --key，或 --code-file",
	"run a node that admits others to its certified network, by certificates or one-time codes, until it is interrupted. The network's root has to make it a registrar first. It prints the same line as run, with the address it serves on and the fingerprint of its certificate, and keeps an audit log.": "运行登记节点，凭证书或一次性登记码准许其他节点加入其认证网络，直到被中断。须先由网络的根将其设为登记节点。它打印与 run 相同的一行，并附上服务地址和证书指纹，同时记录审计日志。",
	"list the registrars of the network":  "列出网络的登记节点",
	"`FILE` with its private key, in PEM": "PEM 格式的 `FILE`，含其私钥",
	"%s is a registrar now":               "%s 现在是登记节点",
	"%s is not a registrar any more":      "%s 不再是登记节点",
	// What to do next, and how a node stands.
	"made the certified network %s in %s. Its registrars admit members; to make this directory's node one and run it:": "认证网络 %s 已建于 %s。成员由其登记节点准入；将本目录的节点设为登记节点并运行：",

	"This invite names the network and admits nobody. Hand out the one that %s prints then, which also names the registrar:": "此邀请只说明是哪个网络，不准许任何人加入。请改发届时用 %s 打印的邀请，其中还指明登记节点：",

	"registrars admit to this network: the invite names it and a registrar's certificate, and admits nobody by itself": "此网络由登记节点准入：邀请指明网络和一个登记节点的证书，本身不准许任何人加入",

	"registrars admit to this network: the invite names it and admits nobody by itself": "此网络由登记节点准入：邀请指明网络，本身不准许任何人加入",

	"run it with: %s":   "用以下命令运行：%s",
	"start it with: %s": "用以下命令启动：%s",

	"the node that runs here takes it over within seconds": "在此运行的节点几秒内即采用",

	"it registers with a registrar that runs (parley register), which tells it, and is then started with parley registrar": "它须先向正在运行的登记节点登记（parley register）以得知此事，然后用 parley registrar 启动",

	"whom it admitted is out until registered with another registrar, with a certificate or a new code": "由它准入的节点即被排除，须凭证书或新登记码向另一个登记节点登记",

	"not known here yet: registering, or the first peer, tells": "此处尚不知道：登记后或遇到首个节点时得知",

	"each admits one node, until %s. There, with an invite (%s): parley register --invite-file FILE --registrar ADDR --code-file FILE": "每个登记码准许一个节点，有效至 %s。在该节点上，用邀请（%s）：parley register --invite-file FILE --registrar ADDR --code-file FILE",

	"no peers yet: %s": "还没有节点：%s",

	"registrars take both: parley registrar --ca %s --ca %s": "登记节点使用这两个文件：parley registrar --ca %s --ca %s",

	"on that node: parley register --registrar ADDR --cert %s --key %s": "在该节点上：parley register --registrar ADDR --cert %s --key %s",

	"registrar": "登记节点",
	"ticket":    "票据",

	"until %s, signed by %s": "有效至 %s，由 %s 签发",

	"this node has no ticket; the network is going over to tickets, and its secret admits for a while yet at most. Have a registrar admit it: %s": "本节点没有票据；网络正改用票据，密钥至多还会接受一段时间。请登记节点准入：%s",

	"this node has no ticket, so nobody talks with it. Have a registrar admit it: %s": "本节点没有票据，因此没有节点与它通信。请登记节点准入：%s",

	"the registrar that signed this node's ticket is none any more, so the ticket does not count. Register with another: %s": "签发本节点票据的登记节点已不再担任，票据无效。请向另一个登记节点登记：%s",

	"this node's ticket ended %s; only who knew the node takes it still, for seven days. Register again: %s": "本节点的票据已于 %s 到期；只有此前认识它的节点还会接受七天。请重新登记：%s",

	"this node's ticket ends %s and was not renewed. See that a registrar runs and can be reached; if the certificate ends then, register with a new one: %s": "本节点的票据将于 %s 到期且未能续期。请确认有登记节点在运行并可以连接；若证书也在那时到期，请用新证书登记：%s",

	"this node, or the other side, has no ticket": "本节点或对方没有票据",

	"a ticket that does not count": "票据无效",

	"the other side ended the handshake": "对方中断了握手",

	"the other side takes tickets, this one a secret, or the other way round": "一方只接受票据，另一方只有密钥",

	"%s made the code %s": "%s 生成了登记码 %s",

	"this node is not a registrar of its network": "本节点不是其网络的登记节点",
	"make it one with: %s":                        "用以下命令设为登记节点：%s",

	"this node does not know of being a registrar of its network": "本节点不知道自己是其网络的登记节点",

	"the network's root adds it (parley registrars add %s); then register it with a registrar that runs, which tells it: %s": "由网络的根添加它（parley registrars add %s）；然后向正在运行的登记节点登记以得知此事：%s",

	// From a secret to registrars.
	"make a closed network certified: registrars admit to it": "将封闭网络改为认证网络：由登记节点准入",

	"make a closed network certified, in the directory where the network was made: its registrars, which are added before, admit members with tickets. Rooms, history and identities stay. Its secret admits beside tickets, so that everybody has time to register, until --finish ends that. A node that runs on the directory takes the change over within seconds.": "在建立网络的目录中将封闭网络改为认证网络：由事先添加的登记节点以票据准许成员。房间、历史和身份保持不变。在用 --finish 结束之前，密钥与票据同样有效，使大家有时间登记。在该目录上运行的节点几秒内即采用此变更。",

	"accept the secret no more: who has no ticket is out": "不再接受密钥：没有票据者即被排除",

	"the network %s is certified; tickets alone are accepted": "网络 %s 已是认证网络；只接受票据",

	"the network %s is certified; its secret is accepted beside tickets": "网络 %s 已是认证网络；密钥与票据同样有效",

	"have everybody register (parley register --help), then end the secret: %s": "请让所有人登记（parley register --help），然后终止密钥：%s",

	"take a node out of the network for good; on a registrar": "将节点永久移出网络；在登记节点上执行",
	"take a node out of the network for good, on a directory where a registrar runs: every node closes its connections with it within seconds and admits it no more, and of what it wrote that alone counts which the registrar has now. It cannot be undone: who is to come back needs a new directory, with an identity of its own. The reason is told to all members and in the audit log.": "将节点永久移出网络，须在登记节点所运行的目录上执行：所有节点会在数秒内断开与它的连接，且不再准许它加入；它所写的内容只有登记节点现有的部分继续有效。此操作无法撤销：要回来须用新的目录和新的身份。原因会告知所有成员，并写入审计日志。",
	"why, `TEXT` of 1 to 256 bytes; everybody can read it": "原因 `TEXT`，1 到 256 字节；所有人都能看到",
	"say why, in 1 to 256 bytes":                           "请说明原因，1 到 256 字节",
	"the other side was taken out of the network":          "对方已被移出网络",
	"this node was taken out of the network (%s): nobody talks with it any more. Ask who keeps the registrars; only a new directory can join again": "本节点已被移出网络（%s）：不再有节点与它通信。请询问登记节点的管理者；只有新的目录才能重新加入",
	"%s is revoked": "%s 已被移出网络",
	"make a node a registrar no more: tickets that it signed count no longer. What it wrote into the registry until now, such as revocations, goes on counting, and nothing later: the node that runs on this directory says how far that is, or --end does.": "不再让节点担任登记节点：它签发的票据不再有效。它至今写入登记册的内容（如移出网络的决定）继续有效，此后的无效：由本目录上运行的节点给出界限，或用 --end 指定。",
	"what it wrote counts up to `SEQ:ID`, as parley registrars end prints it; 0: nothing does":                  "它所写的内容到 `SEQ:ID` 为止有效，即 parley registrars end 打印的值；0：全部无效",
	"it is 0, or as parley registrars end prints it":                                                            "须为 0，或 parley registrars end 打印的值",
	"no node runs on this directory that could say what the registrar has written":                              "本目录上没有运行的节点可以说明该登记节点写到了哪里",
	"the node that runs on this directory has nothing that the registrar has written":                           "本目录上运行的节点没有该登记节点写下的任何内容",
	"wait until it has met the others, or, if that registrar has never run, repeat it with --end 0":             "请等它与其他节点连通；若该登记节点从未运行过，请加上 --end 0 重试",
	"start one (%s), or name the end with --end, as any node of the network tells it: parley registrars end %s": "请启动一个（%s），或用 --end 指定界限，网络中任何节点都能给出：parley registrars end %s",
	"print up to where a registrar has written into the registry, for registrars remove --end":                  "打印登记节点在登记册中写到了哪里，供 registrars remove --end 使用",

	"this network has no root that could name registrars": "此网络没有可指定登记节点的根",
	"make a certified one with: %s":                       "用以下命令建立认证网络：%s",
}

// registrarFaults is what chineseFaults is, for P6xxx.
var registrarFaults = map[string]said{
	"P6001": {
		"this node is not a registrar of its network", "the network's root adds it, with parley registrars add PEER",
		"本节点不是其网络的登记节点", "由网络的根用 parley registrars add PEER 添加",
	},
	"P6002": {
		"the registrar cannot serve on that address", "choose another --api address",
		"登记节点无法在该地址上提供服务", "请换一个 --api 地址",
	},
	"P6003": {
		"the certificate for TLS cannot be used", "give --tls-cert and --tls-key two PEM files that belong together, or neither",
		"无法使用 TLS 证书", "--tls-cert 与 --tls-key 请给出相互匹配的两个 PEM 文件，或都不给",
	},
	"P6004": {
		"the registrar does not answer", "check its address and that it runs",
		"登记节点没有应答", "请检查其地址以及它是否在运行",
	},
	"P6005": {
		"another certificate answers than the registrar's", "ask who keeps the registrar for a new invite; it may be somebody else who answers",
		"应答的证书不是登记节点的", "请向登记节点的管理者要新的邀请；应答的可能是别人",
	},
	"P6006": {
		"the registrar's certificate is not trusted on this machine", "give its fingerprint, with --fingerprint or an invite that has it",
		"本机不信任登记节点的证书", "请用 --fingerprint 或含指纹的邀请给出其指纹",
	},
	"P6007": {
		"the registrar is of another network", "check its address, or use the directory of that network",
		"登记节点属于另一个网络", "请检查地址，或使用该网络的目录",
	},
	"P6008": {
		"that was not a registrar's answer", "check the address and its port",
		"那不是登记节点的应答", "请检查地址和端口",
	},
	"P6010": {
		"that is not a registration", "see docs/protocol/11-registrars.md",
		"这不是登记请求", "请参阅 docs/protocol/11-registrars.md",
	},
	"P6011": {
		"the registrar does not admit this node", "ask who keeps the registrar: its audit log has the reason",
		"登记节点不准许本节点加入", "请询问登记节点的管理者：审计日志中有原因",
	},
	"P6012": {
		"the registrar cannot do that now", "try again later, or ask another registrar",
		"登记节点现在无法处理", "请稍后再试，或找另一个登记节点",
	},
	"P6020": {
		"the trusted certificates cannot be used", "give PEM files with CA certificates and, if there are any, their CRLs",
		"无法使用受信任的证书", "请提供包含 CA 证书及其 CRL（如有）的 PEM 文件",
	},
	"P6021": {
		"the certificate is malformed", "give a PEM file with the node's own certificate first, then those between it and the CA: at most four and 16 KiB",
		"证书格式不对", "请提供 PEM 文件：节点自己的证书在前，其后是它与 CA 之间的证书，最多四个、16 KiB",
	},
	"P6022": {
		"the certificate has expired", "issue a new one, and look at the clocks of both machines",
		"证书已过期", "请签发新证书，并检查两台机器的时钟",
	},
	"P6023": {
		"the certificate is not valid yet", "look at the clocks of both machines, or wait",
		"证书尚未生效", "请检查两台机器的时钟，或等待",
	},
	"P6024": {
		"the certificate is not signed by a CA that is trusted here", "have it issued by one of the registrar's CAs, and send those between it and the CA along",
		"证书不是由此处信任的 CA 签发的", "请由登记节点信任的 CA 签发，并附上中间证书",
	},
	"P6025": {
		"the certificate was issued for another node", "issue one for this node's peer ID (parley id)",
		"证书是为另一个节点签发的", "请为本节点的 ID（parley id）签发证书",
	},
	"P6026": {
		"a key or signature of the certificate is of a kind that is not taken", "use Ed25519, ECDSA on P-256 or P-384, or SM2, and no SHA-1, for all certificates of the chain",
		"不接受证书的密钥或签名种类", "证书链中的所有证书请使用 Ed25519、P-256 或 P-384 上的 ECDSA 或 SM2，且不用 SHA-1",
	},
	"P6027": {
		"the certificate is not for this use", "issue one that allows digital signatures and client authentication, by CAs that may sign it",
		"证书不适用于此用途", "请由有权签发的 CA 签发允许数字签名和客户端认证的证书",
	},
	"P6028": {
		"the certificate was revoked", "ask those who run the CA for another one",
		"证书已被吊销", "请向 CA 的管理者申请新证书",
	},
	"P6029": {
		"the node did not prove that it has the certificate's key", "give the key that belongs to the certificate",
		"节点未能证明拥有证书的密钥", "请提供与证书对应的密钥",
	},
	"P6030": {
		"the certificate file cannot be used", "give a PEM file with the node's own certificate first, then those between it and the CA",
		"无法使用证书文件", "请提供 PEM 文件：节点自己的证书在前，其后是它与 CA 之间的证书",
	},
	"P6031": {
		"the private key cannot be used", "give an unencrypted PEM file, PKCS #8 or SEC 1, with one key: Ed25519, ECDSA on P-256 or P-384, or SM2",
		"无法使用私钥", "请提供未加密的 PEM 文件（PKCS #8 或 SEC 1），含一个密钥：Ed25519、P-256 或 P-384 上的 ECDSA 或 SM2",
	},
	"P6032": {
		"the certificate request cannot be used", "give a PEM file with one PKCS #10 request, signed by its own key: Ed25519, ECDSA on P-256 or P-384, or SM2",
		"无法使用证书请求", "请提供含一个 PKCS #10 请求的 PEM 文件，由其自身密钥签名：Ed25519、P-256 或 P-384 上的 ECDSA 或 SM2",
	},
	"P6033": {
		"the CA's certificate and key do not belong together", "restore both from one backup",
		"CA 的证书与密钥不匹配", "请从同一备份恢复两者",
	},
	"P6034": {
		"the CA's own certificate ends before that", "take fewer days, or make a new CA",
		"CA 自己的证书在此之前到期", "请减少天数，或另建 CA",
	},
	"P6040": {
		"there is no audit log in this directory", "registrars alone keep one: choose another directory",
		"该目录中没有审计日志", "只有登记节点保存审计日志：换一个 --dir",
	},
	"P6041": {
		"another Parley writes this audit log", "stop it or choose another directory",
		"另一个 Parley 正在写入此审计日志", "停止它或换一个 --dir",
	},
	"P6042": {
		"the audit log cannot be read or written", "look at the disk and the permissions and start again: what was acknowledged is safe",
		"审计日志无法读写", "检查磁盘和权限后重新启动：已确认的内容是安全的",
	},
	"P6043": {
		"the audit log is closed", "",
		"审计日志已关闭", "",
	},
	"P6044": {
		"that cannot be a record of the audit log", "report it",
		"这不能成为审计日志的记录", "请报告",
	},
	"P6045": {
		"the audit log is another registrar's", "put back the identity.key that belongs to this directory, or move its audit directory away: a new log is begun",
		"审计日志属于另一个登记节点", "放回属于该目录的 identity.key，或移走其 audit 目录：将开始新的日志",
	},
	"P6046": {
		"the audit log has no such record", "take a number that parley audit tail shows",
		"审计日志中没有这条记录", "使用 parley audit tail 显示的编号",
	},
	"P6050": {
		"a record of the audit log was changed", "keep a copy of the directory as evidence and compare it with a backup; other registrars' cosignatures tell which of the two was first",
		"审计日志的一条记录被更改", "保留该目录的副本作为证据，并与备份比较；其他登记节点的联署说明两者中哪个在先",
	},
	"P6051": {
		"records are missing in the audit log", "keep a copy of the directory as evidence and look for them in a backup",
		"审计日志缺少记录", "保留该目录的副本作为证据，并在备份中查找它们",
	},
	"P6052": {
		"a record of the audit log is not in its place", "keep a copy of the directory as evidence and compare it with a backup",
		"审计日志的一条记录不在其位置", "保留该目录的副本作为证据，并与备份比较",
	},
	"P6053": {
		"a checkpoint of the audit log is not what was signed", "keep a copy of the directory as evidence and compare it with a backup",
		"审计日志的一个检查点与所签内容不符", "保留该目录的副本作为证据，并与备份比较",
	},
	"P6054": {
		"the file of hashes of the audit log does not fit the records, which are as they were signed", "delete the file named hashes in the audit directory and start the registrar again: it writes it anew",
		"审计日志的哈希文件与记录不符，而记录与所签内容一致", "删除 audit 目录中名为 hashes 的文件并重新启动登记节点：它会重写该文件",
	},
	"P6055": {
		"the audit log is signed by somebody whom you did not name", "if you trust that peer, name it with --key",
		"审计日志由您未指明的节点签署", "若信任该节点，请用 --key 指明",
	},
	"P6056": {
		"the proof does not prove its record", "ask for another one: it was changed or damaged",
		"该证明不能证明其记录", "索取另一份：它被更改或损坏",
	},
	"P6057": {
		"no checkpoint covers that record yet", "wait a second while the registrar runs, or start it once",
		"尚无检查点涵盖该记录", "若登记节点正在运行，请稍等一秒；否则启动它一次",
	},
	"P6058": {
		"the history of another registrar's audit log has forked", "do not trust that registrar: it shows different histories, or was set back to a backup",
		"另一登记节点的审计日志历史已分叉", "不要信任该登记节点：它出示不同的历史，或被恢复到了备份",
	},
	"P6059": {
		"that checkpoint cannot be cosigned", "",
		"该检查点不能联署", "",
	},
}
