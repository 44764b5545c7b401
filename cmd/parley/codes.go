package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/parley-chat/parley/api/client"
	v1 "github.com/parley-chat/parley/api/parley/v1"
	"github.com/parley-chat/parley/cmd/parley/internal/show"
)

// codeLine is one enrolment code.
type codeLine struct {
	Code string `json:"code"`
}

func (a *app) codesCommand() *cobra.Command {
	c := a.groupCommand("codes", a.text.T("make one-time codes by which nodes register"), a.text.T("it needs a command: new"))
	var count uint32
	var ttl time.Duration
	n := a.command(&cobra.Command{
		Use:     "new",
		Short:   a.text.T("print new one-time enrolment codes, a line each; they are kept nowhere"),
		Example: `  parley codes new --count 30 --ttl 48h > codes.txt`,
		Args:    a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withNode(cmd, func(ctx context.Context, c *client.Client) error {
				res, err := c.NewCodes(ctx, &v1.NewCodesRequest{Count: count, Life: durationpb.New(ttl)})
				if err != nil {
					return err
				}
				if err := a.printCodes(res.GetCodes()); err != nil || a.json {
					return err
				}
				return a.note("each admits one node, until %s. There, with an invite (%s): parley register --invite-file FILE --registrar ADDR --code-file FILE",
					minute(time.Now().Add(ttl)), a.shell(" invite"))
			})
		},
	})
	n.Flags().Uint32Var(&count, "count", 1, a.text.T("how many, `N`"))
	n.Flags().DurationVar(&ttl, "ttl", 24*time.Hour, a.text.T("how long they are good, `D`, such as 48h"))
	c.AddCommand(n)
	return c
}

func (a *app) printCodes(codes []string) (err error) {
	for _, code := range codes {
		if a.json {
			err = show.JSON(a.out, codeLine{code})
		} else {
			_, err = fmt.Fprintln(a.out, code)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
