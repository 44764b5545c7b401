package text

import "maps"

func init() { maps.Copy(chinese, chineseBenchRegistrar) }

// chineseBenchRegistrar is what chinese is, for the measurement of registrars.
var chineseBenchRegistrar = map[string]string{
	"it needs a command: room, direct, sync, connections, registrar or start":                           "需要子命令：room、direct、sync、connections、registrar 或 start",
	"measure a registrar with many clients, which register and send heartbeats":                         "测量一个登记节点，有许多客户端登记并发送心跳",
	"how many clients are connected, `N`":                                                               "连接的客户端数量 `N`",
	"registrations and heartbeats a second of all of them together, `R`":                                "所有客户端合计每秒的登记与心跳次数 `R`",
	"call at rising rates besides, until not all is answered in time":                                   "另外以递增的速率调用，直到不能及时全部应答",
	"measure besides how others fare while somebody at another address tries wrong codes, `R` a second": "另外测量有人从别的地址每秒尝试 `R` 个错误登记码时其他客户端的情况",
	"it is a number from 0 to %d":                                                                       "应为 0 到 %d 的数",
	"memory of the registrar":                                                                           "登记节点的内存",
	"memory a client":                                                                                   "每个客户端的内存",
	"processors the registrar took":                                                                     "登记节点占用的处理器",
	"until all were connected and registered":                                                           "直到全部连接并登记",
	"asked for %.0f a second":                                                                           "要求每秒 %.0f 次",
	"guesses refused a second":                                                                          "每秒拒绝的猜测",
	"beside them 99 of 100 took at most":                                                                "其间 100 次中有 99 次不超过",
	"calls beside them that failed":                                                                     "其间失败的调用",
	"calls a second":                                                                                    "每秒调用次数",
	"calls":                                                                                             "调用次数",
	"calls that failed":                                                                                 "失败的调用",
	"a call took":                                                                                       "一次调用平均用时",

	"starting a registrar, and %d clients":                 "正在启动一个登记节点和 %d 个客户端",
	"all are registered; they call for %v":                 "全部已登记；它们将调用 %v",
	"%d of %d calls failed, the last one: %s":              "%d 次（共 %d 次）调用失败，最后一次：%s",
	"somebody guesses from %s for %v, %.0f codes a second": "有人从 %s 猜测 %v，每秒 %.0f 个登记码",
	"%d of %d guesses failed, the last one: %s":            "%d 次（共 %d 次）猜测失败，最后一次：%s",
	"%.0f calls a second for %v":                           "每秒 %.0f 次调用，持续 %v",
}
