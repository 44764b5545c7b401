package text

// chineseFaults are the faults in English, as docs/errors.md lists them, and in
// Simplified Chinese. The English tells whether a fault speaks of something in
// particular.
var chineseFaults = map[string]said{
	"P1001": {
		"that is not how the command is used", "see parley --help",
		"命令的用法不对", "参见 parley --help",
	},
	"P1002": {
		"the configuration file cannot be used", "correct or remove it",
		"配置文件不可用", "请改正或删除它",
	},
	"P1003": {
		"a setting has a value it cannot have", "correct it",
		"某项设置的值不可用", "请改正",
	},
	"P1004": {
		"the chat needs a terminal", "use parley run to run a node, and commands such as parley send",
		"聊天需要终端", "用 parley run 运行节点，并使用 parley send 等命令",
	},
	"P1007": {
		"a file cannot be read or written", "check its path and permissions",
		"文件无法读写", "检查路径和权限",
	},
	"P1008": {
		"metrics cannot be served on that address", "choose another --metrics address",
		"无法在该地址提供指标", "换一个 --metrics 地址",
	},
	"P1009": {
		"something went wrong in an unforeseen way", "report it",
		"发生了意料之外的错误", "请报告",
	},
	"P1010": {
		"standard input cannot be read", "check what is piped in",
		"无法读取标准输入", "检查传入的内容",
	},
	"P1011": {
		"standard output cannot be written", "check what it is redirected to",
		"无法写入标准输出", "检查输出重定向到了哪里",
	},
	"P1012": {
		"the message is not text in UTF-8", "convert it, for example with iconv",
		"消息不是 UTF-8 文本", "请先转换，例如用 iconv",
	},
	"P1031": {
		"a line of the file is not part of an export", "export it again: the file was changed or damaged",
		"文件中的一行不属于导出内容", "请重新导出：文件被改动或损坏",
	},
	"P1032": {
		"the file ends before the export does", "what is in it is imported; export it again for the rest",
		"文件在导出内容结束之前就结束了", "已导入其中的内容；其余请重新导出",
	},
	"P1034": {
		"a direct chat cannot be exported", "copy the data directory while no node runs on it, or print the chat with parley history @PEER --limit 0 --json",
		"私聊不能导出", "在没有节点运行时复制数据目录，或用 parley history @PEER --limit 0 --json 打印私聊",
	},
	"P1033": {
		"there is no store in this directory", "start parley on it once, or choose another --dir",
		"该目录中没有存储", "先在其上启动一次 parley，或换一个 --dir",
	},
	"P1035": {
		"the measurement failed", "see what it says; with fewer nodes or messages it takes less of the machine",
		"测量失败", "请看其说明；减少节点或消息可减轻机器的负担",
	},
	"P1036": {
		"messages were lost", "report it with what was measured",
		"有消息丢失", "请连同测量结果一起报告",
	},
	"P1040": {
		"there is a CA in this directory", "use it, or choose another --dir",
		"该目录中已有 CA", "请使用它，或换一个 --dir",
	},
	"P1041": {
		"there is no CA in this directory", "make one with parley ca init, or choose another --dir",
		"该目录中没有 CA", "用 parley ca init 建立，或换一个 --dir",
	},
	"P1042": {
		"the CA of this directory is damaged", "restore it from a backup, or make another one in a fresh --dir",
		"该目录中的 CA 已损坏", "请从备份恢复，或在新的 --dir 中另建一个",
	},
	"P1043": {
		"this CA issued no such certificate", "parley ca list tells those it issued",
		"此 CA 未签发过这样的证书", "用 parley ca list 查看已签发的证书",
	},
	"P1044": {
		"a file is in the way", "remove it or choose another name",
		"已有同名文件", "请删除它或换一个名称",
	},
	"P1045": {
		"nobody is named whose signatures count", "name the registrar with --key PEERID",
		"没有指明谁的签名有效", "用 --key PEERID 指明登记节点",
	},
	"P1050": {
		"it is not known what the registrar has written", "name it with --end",
		"不知道该登记节点写到了哪里", "请用 --end 指明",
	},
	"P2001": {
		"the configuration is wrong", "correct it and start again",
		"配置有误", "请改正后重新启动",
	},
	"P2002": {
		"the data directory cannot be used", "make it yours and writable, or choose another directory",
		"数据目录不可用", "使它归您所有并可写，或换一个 --dir",
	},
	"P2003": {
		"another Parley runs on this directory", "stop it or choose another directory",
		"该目录上已有另一个 Parley 在运行", "停止它或换一个 --dir",
	},
	"P2004": {
		"others have access to the keys", "take it from them with chmod; if they may have read the keys, start anew with a fresh directory",
		"其他人可以接触到密钥", "用 chmod 收回权限；若密钥可能已被读取，请换新的 --dir 重新开始",
	},
	"P2005": {
		"there is no identity in this directory", "start parley on it once, or choose another directory",
		"该目录中没有身份", "先在其上启动一次 parley，或换一个 --dir",
	},
	"P2006": {
		"identity.key is damaged", "restore it from a backup, or start anew with a fresh directory",
		"identity.key 已损坏", "从备份恢复，或换新的 --dir 重新开始",
	},
	"P2007": {
		"this directory belongs to no network yet", "start parley on it once, or choose another directory",
		"该目录还不属于任何网络", "先在其上启动一次 parley，或换一个 --dir",
	},
	"P2008": {
		"network.json is damaged", "restore it from a backup, or start anew with a fresh directory and an invite",
		"network.json 已损坏", "从备份恢复，或用新的 --dir 和邀请重新开始",
	},
	"P2009": {
		"this directory belongs to another network", "one directory is one network: choose a fresh directory",
		"该目录属于另一个网络", "一个目录只属于一个网络：请选用新的 --dir",
	},
	"P2010": {
		"this cannot be a network's name", "take 1 to 64 characters that can be seen",
		"这不能作为网络名称", "请用 1 到 64 个可见字符",
	},
	"P2011": {
		"this is not a whole invite", "copy it again, from PARLEY: to its last character",
		"这不是完整的邀请", "请重新复制，从 PARLEY: 到最后一个字符",
	},
	"P2012": {
		"this invite was made by a newer Parley", "install the newer one",
		"此邀请由更新的 Parley 生成", "请安装更新的版本",
	},
	"P2013": {
		"the secret file does not hold a secret", "put 32 random bytes in it as base64 or hex, for example with: openssl rand -hex 32",
		"密钥文件中没有密钥", "写入 32 个随机字节的 base64 或十六进制，例如用：openssl rand -hex 32",
	},
	"P2014": {
		"the network's root key is not usable here", "do this in the directory where the network was made, or restore root.key from a backup",
		"此处没有可用的网络根密钥", "请在创建网络的目录中操作，或从备份恢复 root.key",
	},
	"P2015": {
		"the network record is not valid", "",
		"网络记录无效", "",
	},
	"P2040": {
		"cannot listen", "choose another address to listen on, or none for the default",
		"无法监听", "换一个 --listen 地址，或不给出",
	},
	"P2041": {
		"the network host cannot be built", "check Config.Libp2p, or report it",
		"无法建立网络主机", "检查 Config.Libp2p，或报告此问题",
	},
	"P2042": {
		"the node is closed", "start it again",
		"节点已关闭", "请重新启动",
	},
	"P2050": {
		"this network has no secret that can be replaced", "make a closed one with: parley network new NAME --dir DIR",
		"此网络没有可更换的密钥", "请建立封闭网络：parley network new NAME --dir DIR",
	},
	"P2051": {
		"no old secret is accepted any more", "replace the secret with: parley network rotate",
		"已没有仍然有效的旧密钥", "更换密钥请用：parley network rotate",
	},
	"P2052": {
		"the invite's secret was replaced", "ask for a new invite",
		"邀请中的密钥已被更换", "请另要一份新的邀请",
	},
	"P2053": {
		"too many old secrets are accepted", "end them first with: parley network rotate --finish",
		"仍然有效的旧密钥过多", "请先结束它们：parley network rotate --finish",
	},
	"P2054": {
		"old secrets cannot be accepted for so long", "take 0 to 366 days",
		"旧密钥不能有效这么久", "请取 0 到 366 天",
	},
	"P3001": {
		"another Parley has this store open", "stop it or choose another directory",
		"另一个 Parley 打开了此存储", "停止它或换一个 --dir",
	},
	"P3002": {
		"the store was written with another key", "put back the identity.key that belongs to this directory, or choose another directory",
		"存储是用另一个密钥写的", "放回属于此目录的 identity.key，或换一个 --dir",
	},
	"P3003": {
		"the store is damaged", "run 'parley store repair': it keeps what can be read and moves the damaged store aside; what others still have comes back from them",
		"存储已损坏", "运行 'parley store repair'：它保留可读的内容，并把损坏的存储移到一旁；其他人仍有的内容会从他们那里回来",
	},
	"P3004": {
		"the store cannot be written", "give this user write permission to the directory or choose another directory",
		"存储不可写", "给此用户目录的写权限，或换一个 --dir",
	},
	"P3005": {
		"the disk is full", "free some space: nothing stored is lost, and sending works again at once",
		"磁盘已满", "请腾出空间：已存的没有丢失，之后可立即继续发送",
	},
	"P3006": {
		"the store was written by a newer Parley", "update Parley or choose another directory",
		"存储由更新的 Parley 写成", "请更新 Parley 或换一个 --dir",
	},
	"P3007": {
		"the store is closed", "",
		"存储已关闭", "",
	},
	"P3008": {
		"writing to the store failed", "look at the disk and start Parley again: what was acknowledged is safe",
		"写入存储失败", "检查磁盘并重新启动 Parley：已确认的都是安全的",
	},
	"P3009": {
		"an author's events are too scattered to be stored", "",
		"某作者的事件过于分散，无法保存", "",
	},
	"P3010": {
		"the account was revoked: what it has written since does not count", "ask who runs the network's registrars; what was written before stays",
		"该账号已被吊销：此后所写的内容无效", "请询问网络的注册服务器管理者；此前所写的内容保留",
	},
	"P4001": {
		"you are not in that room", "join it first (parley join ROOM)",
		"您不在该房间", "请先加入（parley join 房间）",
	},
	"P4002": {
		"that is not a room name", "use 1 to 64 characters, none of @ # - / first",
		"这不是房间名称", "请用 1 到 64 个字符，且不以 @ # - / 开头",
	},
	"P4003": {
		"the message is too long", "keep its content under 64 KiB",
		"消息过长", "内容请不超过 64 KiB",
	},
	"P4004": {
		"the messenger is closed", "open it again",
		"聊天服务已关闭", "请重新打开",
	},
	"P4005": {
		"there is no message with that id here", "check the id",
		"这里没有该 ID 的消息", "请检查 ID",
	},
	"P4006": {
		"that is not a usable nick", "use 1 to 64 printable characters",
		"这不能作为昵称", "请用 1 到 64 个可打印字符",
	},
	"P4007": {
		"this node was never in that room", "join it first (parley join ROOM)",
		"本节点从未进入过该房间", "请先加入（parley join 房间）",
	},
	"P4008": {
		"the message has no content", "give it text or data",
		"消息没有内容", "请给出文本或数据",
	},
	"P4009": {
		"too many rooms are joined", "leave one first (parley leave ROOM)",
		"加入的房间太多", "请先离开一个（parley leave 房间）",
	},
	"P4010": {
		"that is not a peer of this kind of network", "check the peer ID",
		"这不是此类网络的节点", "请检查节点 ID",
	},
	"P4011": {
		"there are too many direct chats", "use a room",
		"私聊太多", "请使用房间",
	},
	"P4012": {
		"no known peer has that name", "give its whole peer ID",
		"没有已知节点叫这个名字", "请给出完整的节点 ID",
	},
	"P4013": {
		"several peers have that name", "give more of the peer ID",
		"有多个节点叫这个名字", "请给出更长的节点 ID",
	},
	"P4014": {
		"the idempotency key is too long", "use at most 64 bytes",
		"幂等键太长", "请不要超过 64 字节",
	},
	"P4015": {
		"that cannot be the type of a message", "use 1 to 64 printable ASCII characters without spaces",
		"这不能作为消息的类型", "请使用 1 到 64 个可打印的 ASCII 字符，不含空格",
	},
	"P4016": {
		"the text is not UTF-8", "write it in UTF-8, and give other bytes as data",
		"文本不是 UTF-8 编码", "请用 UTF-8 书写，其他字节请作为数据给出",
	},
	"P4021": {
		"that cannot be a signal", "give it a type of 1 to 64 printable ASCII characters and at most 768 bytes of data",
		"这不能作为信号", "类型须为 1 到 64 个可打印 ASCII 字符，数据最多 768 字节",
	},
	"P4022": {
		"too many signals", "send at most 20 a second: they are not stored, only the newest matters",
		"信号太多", "每秒最多发送 20 个：信号不会保存，只有最新的有意义",
	},
	"P4023": {
		"that peer is not there", "send a message: it waits",
		"该节点不在线", "请发送消息：消息会等待对方",
	},
	"P4041": {
		"this node is not a registrar of its network", "do it on one: parley registrars list",
		"本节点不是其网络的登记节点", "请在登记节点上执行：parley registrars list",
	},
	"P4042": {
		"that node is a registrar", "the network's root takes it out first: parley registrars remove PEER",
		"该节点是登记节点", "请先由网络的根将其移除：parley registrars remove PEER",
	},
	"P4043": {
		"that cannot be the reason of a revocation", "give it 1 to 256 bytes that can be printed",
		"这不能作为移出网络的原因", "请给出 1 到 256 字节的可打印文字",
	},
	"P4031": {
		"the export is of another network", "import it on a node of that network: a room's events are valid in their own alone",
		"该导出属于另一个网络", "请在那个网络的节点上导入：房间的事件只在其自己的网络中有效",
	},
	"P4032": {
		"an event is not what its author signed", "export it again: the file was changed or damaged",
		"事件与其作者签署的不符", "请重新导出：文件被改动或损坏",
	},
	"P4033": {
		"an event belongs to another room or network", "import it from the export it came in",
		"事件属于另一个房间或网络", "请从它所在的导出文件导入",
	},
	"P4034": {
		"an event is dated more than five minutes ahead", "check this machine's clock, or import it again when it is due",
		"事件的时间超前五分钟以上", "检查本机时钟，或到时再导入",
	},
	"P4035": {
		"an event needs a newer Parley", "update Parley and import it again",
		"事件需要更新的 Parley", "请更新 Parley 后重新导入",
	},
	"P5001": {
		"no node is running on that directory", "start one with: parley run",
		"该目录上没有正在运行的节点", "用以下命令启动：parley run",
	},
	"P5002": {
		"the control socket cannot be opened", "check the directory's permissions and free space",
		"无法打开控制套接字", "检查目录的权限和可用空间",
	},
	"P5003": {
		"another node answers on the control socket", "stop it or choose another directory",
		"控制套接字上有另一个节点在应答", "停止它或换一个 --dir",
	},
	"P5004": {
		"the node went away", "start it again and repeat the command",
		"节点已退出", "请重新启动它再执行命令",
	},
	"P5005": {
		"the running node does not know this request", "restart the node with the same release as this command",
		"正在运行的节点不认识此请求", "请用与此命令相同的版本重新启动节点",
	},
	"P5006": {
		"the request is malformed", "correct it and repeat",
		"请求格式不对", "请改正后重试",
	},
	"P5007": {
		"the node failed in an unforeseen way", "look into the node's log and report it",
		"节点发生了意料之外的错误", "请查看节点日志并报告",
	},
	"P6060": {
		"too many try to register at once", "try again in a moment",
		"同时登记的请求过多", "请稍后再试",
	},
	"P6061": {
		"too many attempts failed", "wait a quarter of an hour, check the code, and try again",
		"失败次数过多", "请等待一刻钟，核对登记码后再试",
	},
	"P6062": {
		"the code was not typed correctly", "compare it, character by character, and try again",
		"登记码输入有误", "请逐字核对后再试",
	},
	"P6063": {
		"the code is wrong", "ask who keeps the registrar for another",
		"登记码不对", "请向登记节点的管理者另要一个",
	},
	"P6064": {
		"the code has expired", "ask who keeps the registrar for another",
		"登记码已过期", "请向登记节点的管理者另要一个",
	},
	"P6065": {
		"the code was used already", "ask who keeps the registrar for another",
		"登记码已被使用", "请向登记节点的管理者另要一个",
	},
	"P6066": {
		"there are 100,000 codes already", "wait until some have expired for a month, or make fewer",
		"登记码已有 100,000 个", "请等到一部分过期满一个月，或少生成一些",
	},
	"P6067": {
		"such codes cannot be made", "make 1 to 100,000, for a minute to a year",
		"无法生成这样的登记码", "请生成 1 到 100,000 个，有效期为一分钟到一年",
	},
	"P6068": {
		"codes.json cannot be used", "see to free space and to permissions",
		"codes.json 无法使用", "请检查可用空间和权限",
	},
	"P6069": {
		"codes.json is damaged", "restore it and codes.journal from a backup, or move both away: codes that were not used are void then",
		"codes.json 已损坏", "请从备份恢复它和 codes.journal，或将两者都移走：未使用的登记码随之作废",
	},
	"P6080": {
		"codes.journal is damaged", "restore it and codes.json from a backup, or move both away: codes that were not used are void then",
		"codes.journal 已损坏", "请从备份恢复它和 codes.json，或将两者都移走：未使用的登记码随之作废",
	},
	"P2016": {
		"the registrar set cannot be changed so", "see who is in it with parley registrars list",
		"不能这样更改登记节点集合", "用 parley registrars list 查看其中有谁",
	},
	"P2017": {
		"this is not a ticket of this node", "register again with parley register",
		"这不是本节点的票据", "请用 parley register 重新登记",
	},
	"P5008": {
		"the node on that directory is not a registrar", "stop it and start parley registrar on it",
		"该目录上的节点不是登记节点", "请停止它，并在该目录上启动 parley registrar",
	},
}
